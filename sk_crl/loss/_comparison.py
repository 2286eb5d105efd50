"""From distances to a loss for every target: relative, absolute, distribution (Eq. 9-16).

Each comparison returns the loss's tangent: value and gradient come from the same few counts, where
automatic differentiation would go every step of the way once more backwards.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Pairs(NamedTuple):
    """Distances between each anchor and its positives and negatives.

    Attributes
    ----------
    positive : Tensor of shape (n_targets, n_anchors, n_positives)
        ``d(a, +)``, any finite number where it does not count.
    weight : Tensor of shape (n_targets, n_anchors, n_positives)
        One over the target's number of triplets (or over 1), 0 where it does not count.
    negative : Tensor of shape (n_targets, n_anchors, n_negatives)
        ``d(a, -)`` in ascending order, infinite after those that count; any number where there is
        no anchor.
    n_negatives : Tensor of int64, shape (n_targets, n_anchors)
        How many of them count, the first ones.
    """

    positive: Tensor
    weight: Tensor
    negative: Tensor
    n_negatives: Tensor

    def positive_share(self) -> Tensor:
        """One over the target's number of positive pairs, 0 where the distance does not count."""
        return _share(self.weight > 0, self.weight.dtype)

    def negative_share(self) -> Tensor:
        """One over the target's number of negative pairs, 0 where the distance does not count."""
        place = torch.arange(self.negative.shape[2], device=self.negative.device)
        return _share(place < self.n_negatives[..., None], self.negative.dtype)


def _share(counts: Tensor, dtype: torch.dtype) -> Tensor:
    """Give every entry of a target that counts the same share of 1."""
    return counts / counts.sum((1, 2), keepdim=True).clamp(min=1).to(dtype)


class Tangent(NamedTuple):
    """The loss of every target as a linear function of the distances, exact where they stand.

    ``loss = intercept + sum(by_positive * positive) + sum(by_negative * negative)``, over the
    distances that count, and the slopes are its derivatives.

    Attributes
    ----------
    intercept : Tensor of shape (n_targets,)
        What the loss has beside the sums.
    by_positive : Tensor of shape (n_targets, n_anchors, n_positives)
        Derivative by ``d(a, +)``, 0 where it does not count.
    by_negative : Tensor of shape (n_targets, n_anchors, n_negatives)
        Derivative by ``d(a, -)``, 0 where it does not count.
    """

    intercept: Tensor
    by_positive: Tensor
    by_negative: Tensor


def relative_comparison(pairs: Pairs, margin: Tensor) -> Tangent:
    r"""Compare each positive with each negative: the triplet ranking loss (Eq. 9).

    .. math:: \frac{1}{|T|} \sum_T \max(0, m + d(a, +) - d(a, -))

    No triplet is ever built. For one anchor and one positive write :math:`t = m + d(a, +)`. The
    triplets that are not 0 are those with a negative nearer than :math:`t`, hence with the first
    :math:`r` of the ascending negatives; they add :math:`r t - \sum_{i \le r} d(a, -_i)`. Summed
    over the positives, each :math:`t` weighs its reach :math:`r` and each negative the number of
    positives that reach it. That is :math:`O(\kappa \log \kappa)` for an anchor, and the weights
    are the gradient.

    Parameters
    ----------
    pairs : Pairs
        The distances.
    margin : Tensor of shape (n_targets, 1, 1)
        Margin :math:`m_j`.

    Returns
    -------
    Tangent
        The mean over all triplets of a target, 0 where there is none.
    """
    threshold = pairs.positive + margin
    reach = torch.searchsorted(pairs.negative, threshold)
    by_positive = reach * pairs.weight
    # Summed up, the weight of the positives that reach too little to reach the i-th negative.
    short = pairs.negative.new_zeros(*reach.shape[:2], pairs.negative.shape[2] + 1)
    short = short.scatter_add_(2, reach, pairs.weight).cumsum(2)
    by_negative = short[..., :-1] - short[..., -1:]
    intercept = (by_positive.sum((1, 2), keepdim=True) * margin).flatten()
    return Tangent(intercept, by_positive, by_negative)


def absolute_comparison(pairs: Pairs, margin: Tensor) -> Tangent:
    r"""Pull positives together, push negatives beyond a margin: the contrastive loss (Eq. 13).

    .. math:: \frac12 \Bigl( \frac{1}{|P^+|} \sum_{P^+} d(a, +)^2
              + \frac{1}{|P^-|} \sum_{P^-} \max(m - d(a, -), 0)^2 \Bigr)

    Parameters
    ----------
    pairs : Pairs
        The distances.
    margin : Tensor of shape (n_targets, 1, 1)
        Margin :math:`m_{ac}`.

    Returns
    -------
    Tangent
        Half the sum of the two means, each 0 where it has no pair.
    """
    short = (margin - pairs.negative).clamp(min=0)
    by_positive = pairs.positive * pairs.positive_share()
    by_negative = -short * pairs.negative_share()
    value = (by_positive * pairs.positive).sum((1, 2)) - (by_negative * short).sum((1, 2))
    return _tangent_at(pairs, value / 2, by_positive, by_negative)


def distribution_comparison(pairs: Pairs, low: float, high: float, bins: int) -> Tangent:
    r"""Estimate how often a negative pair is nearer than a positive one (Eq. 14-16).

    .. math:: \sum_t h^+_t \sum_{k \le t} h^-_k

    with histograms over `bins` nodes from `low` to `high`, into which each distance, clamped to
    that range, is shared linearly between its two neighbours. A distance that moves from one node
    to the next moves its share of the histogram along, so its derivative is the difference of the
    loss's derivatives by the two nodes.

    Parameters
    ----------
    pairs : Pairs
        The distances.
    low, high : float
        First and last node of the grid.
    bins : int
        Number of nodes :math:`\tau`.

    Returns
    -------
    Tangent
        The overlap in [0, 1], 0 where positives or negatives are missing.
    """
    step = (high - low) / (bins - 1)
    positive = _SoftHistogram(pairs.positive, pairs.positive_share(), low, step, bins)
    negative = _SoftHistogram(pairs.negative, pairs.negative_share(), low, step, bins)
    nearer = negative.heights.cumsum(1)
    farther = positive.heights.flip(1).cumsum(1).flip(1)
    value = (positive.heights * nearer).sum(1)
    return _tangent_at(pairs, value, positive.derivative(nearer), negative.derivative(farther))


def _tangent_at(pairs: Pairs, value: Tensor, by_positive: Tensor, by_negative: Tensor) -> Tangent:
    """Make the tangent of a loss that is curved, from its value."""
    finite = pairs.negative.masked_fill(pairs.negative == torch.inf, 0)
    linear = (by_positive * pairs.positive).sum((1, 2)) + (by_negative * finite).sum((1, 2))
    return Tangent(value - linear, by_positive, by_negative)


class _SoftHistogram:
    """Histogram of each target's distances with linear soft assignment (Eq. 14-15).

    Attributes
    ----------
    heights : Tensor of shape (n_targets, bins)
        The histogram, each row's sum 1, or 0 where no distance counts.
    """

    def __init__(self, distances: Tensor, share: Tensor, low: float, step: float, bins: int):
        position = (distances - low) / step
        inside = (position > 0) & (position < bins - 1)
        position = position.clamp(0, bins - 1)
        self._node = position.long().clamp(0, bins - 2)
        beyond = (position - self._node) * share
        self.heights = beyond.new_zeros(len(distances), bins)
        self.heights.scatter_add_(1, self._node.flatten(1), (share - beyond).flatten(1))
        self.heights.scatter_add_(1, self._node.flatten(1) + 1, beyond.flatten(1))
        self._slope = share * inside / step

    def derivative(self, by_height: Tensor) -> Tensor:
        """Carry a derivative by the heights, (n_targets, bins), back to the distances."""
        rise = by_height.diff(dim=1).gather(1, self._node.flatten(1)).view_as(self._slope)
        return rise * self._slope
