"""Class rectification beside cross-entropy (Eq. 8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from sk_crl._checks import check_choice, check_integer, check_real
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl.loss._class_level import ClassLevelLabels
from sk_crl.loss._criterion import Criterion
from sk_crl.loss._inputs import (
    by_class,
    check_alpha,
    check_class_weight,
    check_features,
    check_sample_weight,
    check_scores,
    check_targets,
    pad_scores,
    per_target,
)
from sk_crl.loss._instance_level import InstanceLevelLabels, feature_distances
from sk_crl.loss._linear import Linearization
from sk_crl.loss._prepared import PreparedLabels, prepare_batches, weigh
from sk_crl.loss._rectification import Rectification, through_softmax

__all__ = ["ClassRectificationLoss", "PreparedLabels"]

RECTIFY = ("unadjusted", "adjusted")
ALPHA_DECAYS = (None, "cosine")


class ClassRectificationLoss(Criterion):
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

    omega: Tensor
    class_weight: Tensor | None
    _alpha: Tensor
    _undecayed: Tensor
    _has_given_alpha = False
    _adjustment: Tensor

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
        super().__init__()
        check_real("eta", eta, 0, math.inf, "[)")
        check_real("tau", tau, 0, math.inf, "[)")
        check_choice("rectify", rectify, RECTIFY)
        check_choice("alpha_decay", alpha_decay, ALPHA_DECAYS)
        self.rectification = Rectification(
            kappa, rho, level, comparison, margin, scope, anchors, normalize, bins
        )
        distributions = _distributions(class_counts)
        self.layout = ColumnLayout(tuple(len(d.counts) for d in distributions))
        self.eta = eta
        self.alpha_decay = alpha_decay
        self.tau = tau
        self.rectify = rectify
        # Not learned, hence no part of the state: a loaded one would contradict the settings.
        for name in ("omega", "_alpha", "_undecayed"):
            self.register_buffer(name, torch.zeros(self.layout.n_targets), persistent=False)
        adjustment = torch.zeros(self.layout.n_targets, self.layout.widest)
        self.register_buffer("_adjustment", adjustment, persistent=False)
        if alpha is not None:
            self.alpha = alpha
        self._go_by(distributions)
        weight = None
        if class_weight is not None:
            weight = self.layout.table(check_class_weight(class_weight, self.layout))
        self.register_buffer("class_weight", weight, persistent=False)

    @property
    def alpha(self) -> Tensor:
        """Weight of class rectification of every target, (n_targets,); a copy."""
        return self._alpha.clone()

    @alpha.setter
    def alpha(self, alpha: Tensor | float | Sequence[float]) -> None:
        given = check_alpha(alpha, self.layout)
        self._has_given_alpha = True
        self._weigh(given)

    def _weigh(self, alpha: Tensor) -> None:
        """Weigh class rectification, with what is due in a first epoch."""
        self._undecayed = alpha.to(self._undecayed)
        self._alpha = self._undecayed
        # Known to the host, so that no step has to ask the device whether it rectifies at all.
        self._rectifies = bool(alpha.any())

    def begin_epoch(self, epoch: int, n_epochs: int) -> None:
        r"""Weigh class rectification as is due in an epoch; without `alpha_decay` nothing changes.

        A training loop calls it at the start of each epoch, before `prepare`.

        Parameters
        ----------
        epoch : int
            Epochs that the network has been trained for. Training that goes on counts on, so this
            can be `n_epochs` and more: the decay is over then.
        n_epochs : int
            Epochs that training is planned to take.

        Examples
        --------
        >>> from sk_crl.loss import ClassRectificationLoss
        >>> loss = ClassRectificationLoss([90, 10], alpha=0.4, alpha_decay="cosine")
        >>> for epoch in range(4):
        ...     loss.begin_epoch(epoch, 4)
        ...     print(f"{loss.alpha.item():.3f}")
        0.400
        0.341
        0.200
        0.059
        """
        if self.alpha_decay is not None:
            done = min(epoch / n_epochs, 1)
            self._alpha = self._undecayed * ((math.cos(math.pi * done) + 1) / 2)

    def set_class_counts(self, class_counts: Sequence[float] | Sequence[Sequence[float]]) -> None:
        r"""Go by other class counts, such as those of batches that a sampler draws.

        They set :math:`\Omega`, the adjustment by `tau` and, unless it was given,
        :math:`\alpha`. A training loop calls it between epochs, before `begin_epoch`.

        Parameters
        ----------
        class_counts : sequence of float, or sequence of such sequences
            Number of samples of every class, as many classes as there were, for one target or for
            each.

        Raises
        ------
        ValueError
            For other numbers of targets or classes, and for counts that are none.

        Examples
        --------
        >>> from sk_crl.loss import ClassRectificationLoss
        >>> loss = ClassRectificationLoss([90, 10])
        >>> loss.set_class_counts([60, 40])
        >>> loss.omega
        tensor([0.1667])
        """
        distributions = _distributions(class_counts)
        n_classes = tuple(len(d.counts) for d in distributions)
        if n_classes != self.layout.n_classes:
            raise ValueError(
                f"class_counts must be those of {self.layout.n_classes} classes, as before; got "
                f"those of {n_classes}."
            )
        self._go_by(distributions)

    def _go_by(self, distributions: list[ClassDistribution]) -> None:
        """Set what follows from class counts."""
        omega = torch.tensor([d.omega for d in distributions], dtype=torch.float64)
        self.omega = omega.to(self.omega)
        if not self._has_given_alpha:
            alpha = [d.alpha(self.eta) for d in distributions]
            self._weigh(torch.tensor(alpha, dtype=torch.float64))
        adjustment = self.layout.table([self.tau * d.log_prior for d in distributions])
        self._adjustment = adjustment.to(self._adjustment)

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
        sample_weight : Tensor of shape (n_samples,), optional
            Weights in the cross-entropy. A sample of weight 0 is as good as absent; apart from
            that mining ignores weights: a hard sample is hard whatever its weight.

        Returns
        -------
        Tensor
            The loss, a scalar.

        Raises
        ------
        ValueError
            For tensors whose shapes do not fit, for a code that is no class of its target, and for
            missing features.
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
        sample_weight : Tensor of shape (n_samples,), optional
            Weights in the cross-entropy.
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
            For a batch size below 1, tensors whose shapes do not fit, and a code that is no class
            of its target.
        """
        check_integer("batch_size", batch_size, 1)
        codes = check_targets(targets, len(targets), self.layout)
        return self._prepared(codes, sample_weight, batch_size, dtype)

    def _prepared(
        self, codes: Tensor, sample_weight: Tensor | None, batch_size: int, dtype: torch.dtype
    ) -> list[PreparedLabels]:
        """Prepare batches of checked codes, (n_samples, n_targets)."""
        if sample_weight is not None:
            check_sample_weight(sample_weight, len(codes))
            codes = codes.masked_fill(sample_weight[:, None] <= 0, -1)
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
            For tensors whose shapes do not fit, and for missing features.
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
            between features.

        Raises
        ------
        ValueError
            For tensors whose shapes do not fit, and for missing features.

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
        scores = check_scores(scores, layout)
        if self.needs_features:
            features = check_features(features, len(scores), layout)
        with torch.no_grad():
            raw = by_class(pad_scores(scores, layout))
            value, gradient = self._by_scores(raw, labels)
            gradient = layout.unpad(gradient.permute(2, 0, 1))
        tensors, gradients = (scores,), (gradient,)
        if isinstance(rectified, InstanceLevelLabels):
            if self.rectification.anchors == "easy":
                told = raw + self._adjustment[..., None] if self.rectify == "adjusted" else raw
                rectified = rectified.choose_anchors(told.softmax(1))
            distances = feature_distances(features, rectified.anchors, self.rectification.normalize)
            term, by_distance = self.rectification.at_instance_level(distances, rectified, layout)
            value = value + term.sum()
            tensors, gradients = (scores, distances), (gradient, by_distance)
        elif self.needs_features:  # no anchor: a gradient of 0, for the graph's sake
            tensors, gradients = (scores, features), (gradient, torch.zeros_like(features))
        return Linearization(value, tensors, gradients)

    def _by_scores(self, raw: Tensor, labels: PreparedLabels) -> tuple[Tensor, Tensor]:
        """Compute what of the loss depends on scores, and its derivatives by them, class by class.

        Parameters
        ----------
        raw : Tensor of shape (n_targets, widest, n_samples)
            The scores.
        labels : PreparedLabels
            The batch's labels.

        Returns
        -------
        value : Tensor of shape ()
            Cross-entropy and, at class level, class rectification.
        gradient : Tensor of shape (n_targets, widest, n_samples)
            Its derivatives.
        """
        adjusted = raw + self._adjustment[..., None].to(raw.dtype) if self.tau else raw
        log_p = adjusted.log_softmax(1)
        # Cross-entropy is linear in the log-probabilities of the labels.
        codes, by_label = labels.codes, labels.by_label.to(log_p.dtype)
        value = (log_p.gather(1, codes) * by_label).sum()
        p = log_p.exp_()
        if not isinstance(labels.rectified, ClassLevelLabels):
            return value, through_softmax(p, (codes, by_label))
        is_shared = not self.tau or self.rectify == "adjusted"
        q = p if is_shared else raw.softmax(1)
        term, by_log_q = self.rectification.at_class_level(q, labels.rectified, self.layout)
        rows = (labels.rectified.rows, by_log_q)
        if is_shared:
            gradient = through_softmax(p, (codes, by_label), rows)
        else:
            gradient = through_softmax(p, (codes, by_label)) + through_softmax(q, rows=rows)
        return value + term.sum(), gradient


def _distributions(
    class_counts: Sequence[float] | Sequence[Sequence[float]],
) -> list[ClassDistribution]:
    """Check the class counts of one target or of each."""
    counts = per_target("class_counts", class_counts)
    return [ClassDistribution.from_counts(of_target) for of_target in counts]
