"""Losses for imbalanced classes, of the scores and labels of all targets at once.

Each is the mean of the samples' losses for every target, weighted, summed over targets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sk_crl._checks import check_real
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl.loss._inputs import pad_scores


class CountedLoss(nn.Module):
    """Base of losses that know the class counts of every target.

    Called with scores of shape (n_samples, n_columns), the codes and the weight of each label, both
    of shape (n_samples, n_targets); where a label is missing its code is -1 and its weight 0.

    Parameters
    ----------
    class_counts : sequence of ndarray of shape (n_classes,)
        Number of training samples of every class, for every target; 0 for a class not seen yet.
    """

    def __init__(self, class_counts: Sequence[NDArray]):
        super().__init__()
        self.distributions = [ClassDistribution.from_counts(counts) for counts in class_counts]
        self.layout = ColumnLayout(tuple(len(d.counts) for d in self.distributions))

    def know(self, name: str, rows: list[NDArray]) -> None:
        """Keep a number for every class, (n_targets, widest), on the device that trains."""
        self.register_buffer(name, self.layout.table(rows), persistent=False)


def label_log_probability(padded: Tensor, codes: Tensor) -> Tensor:
    """Logarithm of the probability of every label, (n_samples, n_targets), from padded scores."""
    return padded.log_softmax(2).gather(2, codes.clamp(min=0)[..., None])[..., 0]


def of_label(table: Tensor, codes: Tensor) -> Tensor:
    """Look up the number of every label's class, (n_samples, n_targets)."""
    return table.t().gather(0, codes.clamp(min=0))


def weighted_mean(losses: Tensor, weight: Tensor) -> Tensor:
    """Sum over targets of the weighted mean of a target's losses, 0 where nothing has a weight."""
    total = weight.sum(0)
    return ((losses * weight).sum(0) / total.masked_fill(total == 0, 1)).sum()


def effective_number_weights(distribution: ClassDistribution, beta: float) -> NDArray[np.float64]:
    r"""Weigh classes by :math:`(1 - \beta) / (1 - \beta^n)`, with mean 1 over the classes present.

    The inverse of the effective number of samples (Cui et al., 2019).
    """
    counts = distribution.counts
    weights = np.zeros_like(counts)
    present = counts > 0
    weights[present] = (1 - beta) / (1 - beta ** counts[present])
    return weights / weights[present].mean()


class FocalLoss(CountedLoss):
    r"""Focal loss (Lin et al., 2017): :math:`-(1 - p_y)^\gamma \log p_y`."""

    def __init__(self, class_counts: Sequence[NDArray], gamma: float = 2.0):
        super().__init__(class_counts)
        check_real("loss__gamma", gamma, 0, math.inf, "[)")
        self.gamma = gamma

    def forward(self, scores: Tensor, codes: Tensor, weight: Tensor) -> Tensor:
        log_p = label_log_probability(pad_scores(scores, self.layout), codes)
        # A power below 1 has no derivative at 0.
        rest = (-log_p.expm1()).clamp(min=torch.finfo(log_p.dtype).tiny)
        return weighted_mean(-(rest**self.gamma) * log_p, weight)


class ClassBalancedLoss(CountedLoss):
    r"""Class-balanced cross-entropy (Cui et al., 2019): :math:`-w_y \log p_y`.

    Weights of classes are weights of the mean, too: a batch of frequent classes alone counts as
    much as any other.
    """

    class_weight: Tensor

    def __init__(self, class_counts: Sequence[NDArray], beta: float = 0.999):
        super().__init__(class_counts)
        check_real("loss__beta", beta, 0, 1, "[)")
        weights = [effective_number_weights(d, beta) for d in self.distributions]
        self.know("class_weight", weights)

    def forward(self, scores: Tensor, codes: Tensor, weight: Tensor) -> Tensor:
        log_p = label_log_probability(pad_scores(scores, self.layout), codes)
        return weighted_mean(-log_p, weight * of_label(self.class_weight, codes))


class LDAMLoss(CountedLoss):
    r"""Label-distribution-aware margins (Cao et al., 2019), with deferred re-weighting.

    Cross-entropy of the scores with that of the label lowered by :math:`s \Delta_y`, where
    :math:`\Delta_y = C / n_y^{1/4}`; a class not seen yet has the margin of the rarest. From a
    share `deferred` of the epochs on, classes have the weights of `ClassBalancedLoss`.
    """

    margin: Tensor
    class_weight: Tensor

    def __init__(
        self,
        class_counts: Sequence[NDArray],
        max_margin: float = 0.5,
        scale: float = 30.0,
        deferred: float = 0.8,
        beta: float = 0.9999,
    ):
        super().__init__(class_counts)
        check_real("loss__max_margin", max_margin, 0, math.inf, "[)")
        check_real("loss__scale", scale, 0, math.inf, "()")
        check_real("loss__deferred", deferred, 0, 1)
        check_real("loss__beta", beta, 0, 1, "[)")
        self.deferred = deferred
        self.reweighs = False
        relative = [np.exp((d.log_prior.min() - d.log_prior) / 4) for d in self.distributions]
        self.know("margin", [scale * max_margin * row for row in relative])
        self.know("class_weight", [effective_number_weights(d, beta) for d in self.distributions])

    def begin_epoch(self, epoch: int, n_epochs: int) -> None:
        """Weigh classes from the first epoch after the deferral on; beyond the last, as in it."""
        self.reweighs = min(epoch, n_epochs - 1) >= round(self.deferred * n_epochs)

    def forward(self, scores: Tensor, codes: Tensor, weight: Tensor) -> Tensor:
        padded = pad_scores(scores, self.layout)
        lowered = of_label(self.margin, codes).neg().to(padded.dtype)[..., None]
        padded = padded.scatter_add(2, codes.clamp(min=0)[..., None], lowered)
        if self.reweighs:
            weight = weight * of_label(self.class_weight, codes)
        return weighted_mean(-label_log_probability(padded, codes), weight)


class BalancedSoftmaxLoss(CountedLoss):
    r"""Balanced softmax (Ren et al., 2020): cross-entropy of :math:`z + \log n`.

    A class not seen yet is taken to be as rare as the rarest.
    """

    log_prior: Tensor

    def __init__(self, class_counts: Sequence[NDArray]):
        super().__init__(class_counts)
        self.know("log_prior", [d.log_prior for d in self.distributions])

    def forward(self, scores: Tensor, codes: Tensor, weight: Tensor) -> Tensor:
        padded = pad_scores(scores, self.layout) + self.log_prior
        return weighted_mean(-label_log_probability(padded, codes), weight)
