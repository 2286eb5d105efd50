"""Class rectification beside cross-entropy (Eq. 8)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sk_crl._checks import check_choice, check_integer, check_real
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl.loss._class_level import ClassLevelLabels
from sk_crl.loss._profile import Profile
from sk_crl.loss._rectification import (
    NEVER,
    Rectification,
    by_class,
    check_features,
    check_scores,
    check_targets,
)

RECTIFY = ("unadjusted", "adjusted")


class PreparedLabels(NamedTuple):
    """What the labels of a batch say, the scores aside.

    Attributes
    ----------
    known : Tensor of int64, shape (n_samples * n_targets,)
        Class of each sample for each target, 0 where it is missing.
    weight : Tensor of shape (n_samples * n_targets,)
        Weight of their cross-entropies in the loss, 0 where the label is missing.
    slope : Tensor of shape (n_targets, 1, n_samples)
        Less that weight: the derivative of the loss by the log-probability of each label.
    rectified : ClassLevelLabels, Profile or None
        What rectification needs to know; None where nothing is rectified.
    """

    known: Tensor
    weight: Tensor
    slope: Tensor
    rectified: ClassLevelLabels | Profile | None


class ClassRectificationLoss(nn.Module):
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
    alpha : float, optional
        Weight of class rectification in [0, 1], instead of :math:`\eta \Omega`.
    kappa : int or None, default=25
        Hard positives and hard negatives per anchor; this and the next seven as in
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
        adjusted scores, the posterior under the training prior.

    Attributes
    ----------
    omega : Tensor of shape (n_targets,)
        Imbalance of every target.
    class_weight : Tensor of shape (n_targets, widest) or None
        Weight of every class in the cross-entropy.
    alpha : Tensor of shape (n_targets,)
        Weight of class rectification of every target. A schedule may assign another between
        epochs, a number or one for every target.

    Raises
    ------
    ValueError
        For a setting outside its range; in `forward`, for tensors whose shapes do not fit.

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
    >>> scores = torch.zeros(4, 5, requires_grad=True)
    >>> targets = torch.tensor([[0, 2], [1, -1], [0, 0], [0, 1]])
    >>> loss(scores, targets)
    tensor(1.4546, grad_fn=<SumBackward0>)
    """

    omega: Tensor

    def __init__(
        self,
        class_counts: Sequence[float] | Sequence[Sequence[float]],
        *,
        eta: float = 0.5,
        alpha: float | None = None,
        kappa: int | None = 25,
        rho: float = 0.5,
        level: str = "class",
        comparison: str = "relative",
        margin: float | None = None,
        scope: str = "minority",
        normalize: bool = True,
        bins: int = 100,
        class_weight: Sequence[float] | Sequence[Sequence[float]] | None = None,
        tau: float = 0.0,
        rectify: str = "unadjusted",
    ):
        super().__init__()
        check_real("eta", eta, 0, math.inf, "[)")
        if alpha is not None:
            check_real("alpha", alpha, 0, 1)
        check_real("tau", tau, 0, math.inf, "[)")
        check_choice("rectify", rectify, RECTIFY)
        self.rectification = Rectification(
            kappa, rho, level, comparison, margin, scope, normalize, bins
        )
        distributions = [ClassDistribution.from_counts(c) for c in _per_target(class_counts)]
        self.layout = ColumnLayout(tuple(len(d.counts) for d in distributions))
        self.tau = tau
        self.rectify = rectify
        # Not learned, hence no part of the state: a loaded one would contradict the settings.
        omega = torch.tensor([d.omega for d in distributions])
        self.register_buffer("omega", omega, persistent=False)
        self.register_buffer("_alpha", torch.zeros_like(omega), persistent=False)
        self.alpha = [d.alpha(eta) if alpha is None else alpha for d in distributions]
        adjustment = self._padded([tau * d.log_prior for d in distributions])
        self.register_buffer("_adjustment", adjustment, persistent=False)
        self.register_buffer("class_weight", self._checked_weight(class_weight), persistent=False)

    @property
    def alpha(self) -> Tensor:
        """Weight of class rectification of every target, (n_targets,); a copy."""
        return self._alpha.clone()

    @alpha.setter
    def alpha(self, alpha: float | Sequence[float]) -> None:
        alpha = torch.as_tensor(alpha, dtype=self._alpha.dtype, device="cpu")
        n_targets = self.layout.n_targets
        if alpha.shape not in ((), (n_targets,)) or not ((alpha >= 0) & (alpha <= 1)).all():
            raise ValueError(
                f"alpha must be a number in [0, 1], or {n_targets} of them, one for every target; "
                f"got {alpha.tolist()}."
            )
        # Known to the host, so that no step has to ask the device whether it rectifies at all.
        self._rectifies = bool(alpha.any())
        self._alpha = alpha.expand(n_targets).clone().to(self._alpha.device)

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
        """
        scores = check_scores(scores, self.layout)
        targets = check_targets(targets, len(scores), self.layout)
        if not len(scores):
            return scores.sum()
        (labels,) = self.prepare(targets, sample_weight, batch_size=len(scores), dtype=scores.dtype)
        return self.compute(scores, labels, features)

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
        """
        check_integer("batch_size", batch_size, 1)
        codes = check_targets(targets, len(targets), self.layout)
        if sample_weight is not None:
            if sample_weight.shape != (len(codes),):
                raise ValueError(
                    f"sample_weight must have shape ({len(codes)},), one for every sample; got "
                    f"shape {tuple(sample_weight.shape)}."
                )
            codes = codes.masked_fill(sample_weight[:, None] <= 0, -1)
        weight = self._sample_weight(codes, sample_weight).to(dtype)
        n_full = len(codes) // batch_size * batch_size
        return [
            *self._prepare_even(codes[:n_full], weight[:n_full], batch_size),
            *self._prepare_even(codes[n_full:], weight[n_full:], len(codes) - n_full),
        ]

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
        """
        layout = self.layout
        scores = layout.pad(check_scores(scores, layout), fill=NEVER)
        adjusted = scores + self._adjustment.to(scores.dtype) if self.tau else scores
        if labels.rectified is None and not self.needs_features:
            return self._cross_entropy(adjusted, labels)
        if self.needs_features:
            features = check_features(features, len(scores), layout)
        shown = scores if self.rectify == "unadjusted" else adjusted
        log_probabilities = by_class(shown).log_softmax(1)
        given, intercept, slope = self.rectification.tangent(
            log_probabilities, labels.rectified, features, layout
        )
        alpha = self._alpha.to(slope.dtype)
        slope = slope * alpha[:, None, None]
        constant = (intercept * alpha).sum()
        if given is log_probabilities and shown is adjusted:
            # Cross-entropy is linear in the same log-probabilities: one sum for both terms.
            slope = slope.scatter_add_(1, labels.rectified.known, labels.slope.to(slope.dtype))
            return (given * slope).sum() + constant
        return self._cross_entropy(adjusted, labels) + (given * slope).sum() + constant

    def _cross_entropy(self, scores: Tensor, labels: PreparedLabels) -> Tensor:
        """Compute the cross-entropy part; `scores` are padded, (n_samples, n_targets, widest)."""
        surprise = cross_entropy(scores.flatten(0, 1), labels.known, reduction="none")
        # Not by matrix product, which autocast would take to half precision.
        return (surprise * labels.weight.to(surprise.dtype)).sum()

    def _sample_weight(self, codes: Tensor, sample_weight: Tensor | None) -> Tensor:
        """Weigh each sample's cross-entropy, (n_samples, n_targets), 0 where it has no label."""
        weight = (codes >= 0).to(self._alpha.dtype)
        if sample_weight is not None:
            weight = weight * sample_weight[:, None]
        if self.class_weight is not None:
            by_class = self.class_weight.t().gather(0, codes.clamp(min=0))
            weight = weight * by_class
        return weight

    def _prepare_even(
        self, codes: Tensor, weight: Tensor, batch_size: int
    ) -> Iterator[PreparedLabels]:
        """Prepare batches of one size; `codes` and `weight` are (n_samples, n_targets)."""
        if not len(codes):
            return
        n_targets = codes.shape[1]
        codes, weight = codes.unflatten(0, (-1, batch_size)), weight.unflatten(0, (-1, batch_size))
        # Eq. 8 and the mean over a target's labelled samples (Eq. 2), in one factor.
        total = weight.sum(1, keepdim=True)
        factor = (1 - self._alpha).to(weight.dtype)
        weight = weight * (factor / total.masked_fill(total == 0, 1))
        rectified = itertools.repeat(None)
        if self._rectifies:
            # Batches become further targets, so that all are prepared in one go.
            rows = codes.transpose(1, 2).flatten(0, 1)
            labels = self.rectification.prepare(rows, self.layout, weight.dtype)
            if labels is not None:
                columns = (column.split(n_targets) for column in labels)
                rectified = map(labels._make, zip(*columns, strict=True))
        known = codes.clamp(min=0).flatten(1)
        slope = -weight.transpose(1, 2)[:, :, None]
        yield from map(
            PreparedLabels, known.unbind(), weight.flatten(1).unbind(), slope.unbind(), rectified
        )

    def _padded(self, per_target: list[np.ndarray]) -> Tensor:
        """Lay one row of numbers for every target out as (n_targets, widest), float32."""
        flat = torch.as_tensor(np.concatenate(per_target), dtype=torch.float32)
        return self.layout.pad(flat[None], fill=0.0)[0]

    def _checked_weight(self, class_weight) -> Tensor | None:
        """Check the class weights and lay them out."""
        if class_weight is None:
            return None
        weights = [np.asarray(w, dtype=np.float64) for w in _per_target(class_weight)]
        if tuple(map(len, weights)) != self.layout.n_classes:
            raise ValueError(
                f"class_weight must have one weight for every class, {self.layout.n_classes}; got "
                f"{tuple(map(len, weights))}."
            )
        if not all((np.isfinite(w) & (w >= 0)).all() for w in weights):
            got = [w.tolist() for w in weights]
            raise ValueError(f"class_weight must be finite and non-negative; got {got}.")
        return self._padded(weights)


def _per_target(values) -> list:
    """Make a list of one of a single target's row."""
    values = list(values)
    return values if np.ndim(values[0]) else [values]
