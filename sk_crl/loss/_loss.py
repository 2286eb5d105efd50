"""Class rectification beside cross-entropy (Eq. 8)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from sk_crl._checks import check_choice, check_integer
from sk_crl.loss._by_scores import differentiate_by_scores
from sk_crl.loss._counted import CountedCriterion
from sk_crl.loss._fused import FusedLabels
from sk_crl.loss._inputs import (
    by_class,
    check_class_weight,
    check_features,
    check_sample_weight,
    check_scores,
    check_targets,
    pad_scores,
)
from sk_crl.loss._linear import Linearization
from sk_crl.loss._prepared import PreparedLabels, prepare_batches, weigh
from sk_crl.loss._rectification import Rectification

__all__ = ["ClassRectificationLoss"]

RECTIFY = ("unadjusted", "adjusted")


class ClassRectificationLoss(CountedCriterion):
    r"""Cross-entropy with class rectification (Eq. 8).

    .. math:: L = \sum_j \alpha_j L_{crl,j} + (1 - \alpha_j) L_{ce,j},
              \qquad \alpha_j = \min(\eta \, \Omega_j, 1)

    over the targets :math:`j`, where :math:`\Omega_j = 1 - n / (K n_{max})` measures the imbalance
    of the training set.

    Parameters
    ----------
    class_counts : sequence of float, or sequence of such sequences
        Number of samples of every class in the *training set*, for one target or for each.
    eta : float, default=0.5
        Weight of class rectification per unit of imbalance.
    alpha : float or sequence of float, optional
        Weight of class rectification in [0, 1], instead of :math:`\eta \Omega`, for all targets or
        for each.
    alpha_decay : {None, "cosine"}, default=None
        How the weight of class rectification falls in training, where `begin_epoch` is called:
        ``"cosine"`` multiplies it by :math:`(\cos(\pi l / L) + 1) / 2` in epoch l of L (Wang et
        al.: *Dynamic Curriculum Learning*, ICCV 2019), and cross-entropy weighs the rest.
    kappa : int or None, default=25
        Hard positives and hard negatives per anchor; this and the next eight as in
        `class_rectification`.
    rho : float, default=0.5
        Share of the batch that minority classes hold together at most.
    level : {"class", "instance"}, default="class"
        Compare predicted probabilities or features.
    comparison : {"relative", "absolute", "distribution"}, default="relative"
        Triplet ranking, contrastive or histogram loss.
    margin : float, optional
        Margin of the relative and absolute comparison; the paper's by default.
    scope : {"minority", "all"}, default="minority"
        Classes whose samples are anchors.
    anchors : {"all", "easy"}, default="all"
        Samples of these classes that are anchors: all, or only those with the highest predicted
        probability of their class.
    normalize : bool, default=True
        Scale features to unit length at instance level.
    bins : int, default=100
        Nodes of the distribution comparison's histograms.
    class_weight : sequence of float, or sequence of such sequences, optional
        Weight of every class in the cross-entropy, laid out like `class_counts`.
    tau : float, default=0.0
        Logit adjustment (Menon et al., 2021): cross-entropy sees scores + tau · log(prior), which
        leaves the scores themselves to predict as under a uniform prior when tau is 1.
    rectify : {"unadjusted", "adjusted"}, default="unadjusted"
        Probabilities that are rectified at class level: the softmax of the scores, or of the
        adjusted scores, the posterior under the training prior. At either level, easy anchors are
        easy by these.

    Attributes
    ----------
    omega : Tensor of shape (n_targets,)
        Imbalance of every target.
    class_weight : Tensor of shape (n_targets, widest) or None
        Weight of every class in the cross-entropy.
    alpha : Tensor of shape (n_targets,)
        Weight of class rectification of every target, in this epoch where it decays. A schedule
        may assign another between epochs, a number or one for every target.

    Raises
    ------
    ValueError
        For a setting outside its range, and for class counts or weights that do not fit.

    Notes
    -----
    On a CPU, where Numba is installed (the extra ``fast``), ``comparison="relative"`` with
    ``anchors="all"`` is computed by compiled loops, unless `kappa` is large. They agree with
    tensors to rounding. With ``SK_CRL_FUSED=0`` in the environment they are left out, with
    ``SK_CRL_FUSED=1`` there is an error where they cannot be had.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.loss import ClassRectificationLoss
    >>> loss = ClassRectificationLoss(class_counts=[900, 80, 20])
    >>> loss.alpha
    tensor([0.3148])
    >>> scores = torch.randn(64, 3, requires_grad=True)
    >>> targets = torch.randint(0, 3, (64,))
    >>> loss(scores, targets).backward()

    Two targets, one of them with a missing label (-1):

    >>> loss = ClassRectificationLoss(class_counts=[[90, 10], [50, 30, 20]])
    >>> targets = torch.tensor([[0, 2], [1, -1], [0, 0], [0, 1]])
    >>> loss(torch.zeros(4, 5), targets)
    tensor(1.4546)
    """

    class_weight: Tensor | None

    def __init__(
        self,
        class_counts: Sequence[float] | Sequence[Sequence[float]],
        *,
        eta: float = 0.5,
        alpha: float | Sequence[float] | None = None,
        alpha_decay: str | None = None,
        kappa: int | None = 25,
        rho: float = 0.5,
        level: str = "class",
        comparison: str = "relative",
        margin: float | None = None,
        scope: str = "minority",
        anchors: str = "all",
        normalize: bool = True,
        bins: int = 100,
        class_weight: Sequence[float] | Sequence[Sequence[float]] | None = None,
        tau: float = 0.0,
        rectify: str = "unadjusted",
    ):
        super().__init__(class_counts, eta, alpha, alpha_decay, tau)
        check_choice("rectify", rectify, RECTIFY)
        self.rectification = Rectification(
            kappa, rho, level, comparison, margin, scope, anchors, normalize, bins
        )
        self.rectify = rectify
        weight = None
        if class_weight is not None:
            weight = self.layout.table(check_class_weight(class_weight, self.layout))
        self.register_buffer("class_weight", weight, persistent=False)

    @property
    def needs_features(self) -> bool:
        """Whether the loss compares features, and must be given them."""
        return self._rectifies and self.rectification.level == "instance"

    def forward(
        self,
        scores: Tensor,
        targets: Tensor,
        features: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_columns)
            Raw scores, finite, the columns of all targets side by side.
        targets : Tensor of int, shape (n_samples,) or (n_samples, n_targets)
            Class index within each target; -1 where the label is missing.
        features : Tensor of shape (n_samples, d) or (n_samples, n_targets, d), optional
            Needed by ``level="instance"``.
        sample_weight : Tensor of shape (n_samples,) or (n_samples, n_targets), optional
            Weights in the cross-entropy, of samples or of each of their labels. What has weight 0
            is as good as absent; apart from that mining ignores weights: a hard sample is hard
            whatever its weight.

        Returns
        -------
        Tensor
            The loss, a scalar.

        Raises
        ------
        ValueError
            For tensors whose shapes or types do not fit, for a code that is no class of its target,
            and for missing features.
        """
        scores = check_scores(scores, self.layout)
        targets = check_targets(targets, len(scores), self.layout)
        if not len(scores):
            return scores.sum()
        # Without the book-keeping of autograd, where no graph runs through the loss.
        compiles, by_scores = torch.compiler.is_compiling(), not self.needs_features
        with torch.inference_mode() if by_scores and not compiles else nullcontext():
            (labels,) = self._prepared(targets, sample_weight, len(scores), scores.dtype)
            linear = self.linearize(scores, labels, features)
        return linear.attached()

    def n_prepared(self, batch_size: int) -> int:
        """Bound the numbers that `prepare` makes of a batch.

        Parameters
        ----------
        batch_size : int
            Samples in a batch.

        Returns
        -------
        int
            How many, to the order of magnitude.
        """
        return self.rectification.n_prepared(batch_size, self.layout)

    def prepare(
        self,
        targets: Tensor,
        sample_weight: Tensor | None = None,
        *,
        batch_size: int,
        dtype: torch.dtype = torch.float32,
    ) -> list[PreparedLabels]:
        """Do for many batches at once what depends on their labels alone.

        A training loop that knows the order of its samples ahead calls this once an epoch and
        `compute` for every batch; calling the loss itself does the same for a single batch.
        Between the two `alpha` must not change.

        Parameters
        ----------
        targets : Tensor of int, shape (n_samples,) or (n_samples, n_targets)
            Class index within each target; -1 where the label is missing.
        sample_weight : Tensor of shape (n_samples,) or (n_samples, n_targets), optional
            Weights in the cross-entropy, of samples or of each of their labels.
        batch_size : int
            Samples in a batch. Where it does not divide their number the last batch is shorter.
        dtype : torch.dtype, default=torch.float32
            Precision of the scores to come, at least float32.

        Returns
        -------
        list of PreparedLabels
            One for every batch.

        Raises
        ------
        ValueError
            For a batch size below 1, tensors whose shapes or types do not fit, and a code that is
            no class of its target.
        """
        check_integer("batch_size", batch_size, 1)
        codes = check_targets(targets, len(targets), self.layout)
        return self._prepared(codes, sample_weight, batch_size, dtype)

    def _prepared(
        self, codes: Tensor, sample_weight: Tensor | None, batch_size: int, dtype: torch.dtype
    ) -> list[PreparedLabels]:
        """Prepare batches of checked codes, (n_samples, n_targets)."""
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, *codes.shape)
            codes = codes.masked_fill(sample_weight <= 0, -1)
        weight = weigh(codes, sample_weight, self.class_weight, self._alpha.dtype).to(dtype)
        rectification = self.rectification if self._rectifies else None
        alpha = self._alpha.to(dtype)
        return prepare_batches(codes, weight, alpha, batch_size, rectification, self.layout)

    def compute(
        self, scores: Tensor, labels: PreparedLabels, features: Tensor | None = None
    ) -> Tensor:
        """Compute the loss of a batch whose labels are prepared.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_columns)
            Raw scores, finite, the columns of all targets side by side.
        labels : PreparedLabels
            The batch's labels, from `prepare`.
        features : Tensor of shape (n_samples, d) or (n_samples, n_targets, d), optional
            Needed by ``level="instance"``.

        Returns
        -------
        Tensor
            The loss, a scalar.

        Raises
        ------
        ValueError
            For tensors whose shapes or types do not fit, and for missing features.
        """
        return self.linearize(scores, labels, features).attached()

    def linearize(
        self, scores: Tensor, labels: PreparedLabels, features: Tensor | None = None
    ) -> Linearization:
        """Compute the loss of a batch whose labels are prepared, together with its gradient.

        A training loop that goes back from the gradient spares the graph of the loss.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_columns)
            Raw scores, finite, the columns of all targets side by side.
        labels : PreparedLabels
            The batch's labels, from `prepare`.
        features : Tensor of shape (n_samples, d) or (n_samples, n_targets, d), optional
            Needed by ``level="instance"``.

        Returns
        -------
        Linearization
            The loss, and its derivatives by the scores and, at instance level, by the distances
            between features, or by the features as they are compared: of unit length, if any.

        Raises
        ------
        ValueError
            For tensors whose shapes or types do not fit, and for missing features.

        Examples
        --------
        >>> import torch
        >>> from sk_crl.loss import ClassRectificationLoss
        >>> loss = ClassRectificationLoss(class_counts=[90, 10])
        >>> (labels,) = loss.prepare(torch.tensor([0, 0, 1]), batch_size=3)
        >>> scores = torch.zeros(3, 2, requires_grad=True)
        >>> loss.linearize(scores, labels).backward()
        >>> scores.grad.round(decimals=2)
        tensor([[-0.1300,  0.1300],
                [-0.1300,  0.1300],
                [ 0.1300, -0.1300]])
        """
        layout, rectified = self.layout, labels.rectified
        if isinstance(rectified, FusedLabels) and not self.rectification.fuses(
            rectified.codes, layout
        ):
            # Moved to another device, traced by Dynamo, or of a loss that has loops: here are none.
            rectified = self.rectification.prepare(rectified.codes, layout, rectified.scale)
            labels = labels._replace(rectified=rectified)
        scores = check_scores(scores, layout)
        if self.needs_features:
            features = check_features(features, len(scores), layout)
        with torch.no_grad():
            raw = by_class(pad_scores(scores, layout))
            adjusted = raw + self._adjustment[..., None].to(raw.dtype) if self.tau else raw
            is_apart = bool(self.tau) and self.rectify == "unadjusted"
            value, gradient = differentiate_by_scores(
                adjusted, raw if is_apart else None, labels, self.rectification, layout
            )
            gradient = layout.unpad(gradient.permute(2, 0, 1))
        if not self.needs_features:
            return Linearization(value, (scores,), (gradient,))
        if rectified is None:  # no anchor: a gradient of 0, for the graph's sake
            gradients = (gradient, torch.zeros_like(features))
            return Linearization(value, (scores, features), gradients)
        if self.rectification.anchors == "easy":
            rectified = rectified.choose_anchors(raw if is_apart else adjusted)
        term = self.rectification.at_instance_level(features, rectified, layout)
        return Linearization(
            value + term.value.sum(), (scores, *term.tensors), (gradient, *term.gradients)
        )
