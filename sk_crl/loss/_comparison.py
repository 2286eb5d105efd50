"""From distances to a loss for every target: relative, absolute, distribution (Eq. 9-16).

Each comparison returns the loss's tangent: value and gradient come from the same few counts, where
automatic differentiation would go every step of the way once more backwards.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Equal numbers, added up one by one: so many lose some of float32's digits.
_MANY = 2**12


class Pairs(NamedTuple):
    """Distances between anchors and hard samples, in rows of anchors with the same negatives.

    Attributes
    ----------
    positive : Tensor of shape (n_targets, n_rows, n_anchors, n_positives)
        ``d(a, +)``, any finite number where it does not count.
    weight : Tensor of shape (n_targets, n_rows, n_anchors, n_positives)
        The target's scale times the number of anchors that the anchor stands for, over the
        target's number of triplets; 0 where the distance does not count.
    negative : Tensor of shape (n_targets, n_rows, n_negatives)
        ``d(a, -)`` less the anchor's shift, in ascending order, infinite after those that count.
    n_negatives : Tensor of int64, shape (n_targets, n_rows)
        How many of them count, the first ones.
    scale : Tensor of shape (n_targets, 1, 1, 1)
        What the target's loss is multiplied by.
    shift : Tensor of shape (n_targets, n_rows, n_anchors), or None
        What the distances of an anchor to its row's negatives have in common; None for 0.
    """

    positive: Tensor
    weight: Tensor
    negative: Tensor
    n_negatives: Tensor
    scale: Tensor
    shift: Tensor | None = None

    def to_negatives(self) -> Tensor:
        """List ``d(a, -)``, (n_targets, n_rows, n_anchors, n_negatives)."""
        negative = self.negative[:, :, None]
        return negative if self.shift is None else negative + self.shift[..., None]

    def positive_share(self) -> Tensor:
        """One over the target's number of positive pairs, 0 where the distance does not count."""
        return _share(self.weight > 0, self.weight.dtype)

    def negative_share(self) -> Tensor:
        """One over the target's number of negative pairs, 0 where the distance does not count."""
        place = torch.arange(self.negative.shape[2], device=self.negative.device)
        counts = (place < self.n_negatives[..., None])[:, :, None]
        is_anchor = (self.weight > 0).any(3, keepdim=True)
        return _share(counts & is_anchor, self.negative.dtype)


def _share(counts: Tensor, dtype: torch.dtype) -> Tensor:
    """Give every entry of a target that counts the same share of 1."""
    return counts / counts.sum((1, 2, 3), keepdim=True).clamp(min=1).to(dtype)


class Tangent(NamedTuple):
    """The loss of every target, scaled, as a linear function of distances, exact where they stand.

    ``loss = intercept + sum(by_positive * positive) + sum(by_negative * negative) - sum(pull *
    shift)``, over the distances that count, and the slopes are its derivatives.

    Attributes
    ----------
    intercept : Tensor of shape (n_targets,)
        What the loss has beside the sums.
    by_positive : Tensor of shape (n_targets, n_rows, n_anchors, n_positives)
        Derivative by ``d(a, +)``, 0 where it does not count.
    by_negative : Tensor of shape (n_targets, n_rows, n_negatives)
        Derivative by the negatives of a row, 0 where they do not count.
    pull : Tensor of shape (n_targets, n_rows, n_anchors)
        Derivative by the shift of an anchor, which all its distances to negatives have in common,
        with its sign turned.
    """

    intercept: Tensor
    by_positive: Tensor
    by_negative: Tensor
    pull: Tensor


def relative_comparison(pairs: Pairs, margin: float | Tensor) -> Tangent:
    r"""Compare each positive with each negative: the triplet ranking loss (Eq. 9).

    .. math:: \frac{1}{|T|} \sum_T \max(0, m + d(a, +) - d(a, -))

    No triplet is ever built. For one anchor and one positive write :math:`t = m + d(a, +)`. The
    triplets that are not 0 are those with a negative nearer than :math:`t`, hence with the first
    :math:`r` of the ascending negatives; they add :math:`r t - \sum_{i \le r} d(a, -_i)`. Summed
    over the positives, each :math:`t` weighs its reach :math:`r` and each negative the number of
    positives that reach it. That is :math:`O(\kappa \log \kappa)` for an anchor, and the weights
    are the gradient. An anchor's shift of its negatives is one of its thresholds the other way, so
    that the negatives of a row are sorted once for all its anchors.

    Parameters
    ----------
    pairs : Pairs
        The distances.
    margin : float or Tensor of shape (n_targets, 1, 1, 1)
        Margin :math:`m_j`.

    Returns
    -------
    Tangent
        The mean over all triplets of a target, 0 where there is none.
    """
    # The smaller tensor takes the margin.
    ahead = margin if pairs.shift is None else margin - pairs.shift[..., None]
    threshold = pairs.positive + ahead
    reach = torch.searchsorted(pairs.negative, threshold.flatten(2))
    by_positive = reach.view_as(threshold) * pairs.weight
    pull = by_positive.sum(3)
    # Summed up, the weight of the positives that reach too little to reach the i-th negative.
    weight = pairs.weight.flatten(2)
    if weight.shape[2] > _MANY and weight.device.type != "mps":  # which has no float64
        weight = weight.double()
    short = weight.new_zeros(*reach.shape[:2], pairs.negative.shape[2] + 1)
    short = short.scatter_add_(2, reach, weight).cumsum(2)
    by_negative = (short[..., :-1] - short[..., -1:]).to(pairs.negative.dtype)
    intercept = pull.sum((1, 2)).mul_(margin if isinstance(margin, float) else margin.flatten())
    return Tangent(intercept, by_positive, by_negative, pull)


def absolute_comparison(pairs: Pairs, margin: float | Tensor) -> Tangent:
    r"""Pull positives together, push negatives beyond a margin: the contrastive loss (Eq. 13).

    .. math:: \frac12 \Bigl( \frac{1}{|P^+|} \sum_{P^+} d(a, +)^2
              + \frac{1}{|P^-|} \sum_{P^-} \max(m - d(a, -), 0)^2 \Bigr)

    Parameters
    ----------
    pairs : Pairs
        The distances.
    margin : float or Tensor of shape (n_targets, 1, 1, 1)
        Margin :math:`m_{ac}`.

    Returns
    -------
    Tangent
        Half the sum of the two means, each 0 where it has no pair.
    """
    short = (margin - pairs.to_negatives()).clamp(min=0)
    by_positive = pairs.positive * pairs.positive_share()
    by_distance = -short * pairs.negative_share()
    value = (by_positive * pairs.positive).sum((1, 2, 3)) - (by_distance * short).sum((1, 2, 3))
    return _tangent_at(pairs, value / 2, by_positive, by_distance)


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
    negative = _SoftHistogram(pairs.to_negatives(), pairs.negative_share(), low, step, bins)
    nearer = negative.heights.cumsum(1)
    farther = positive.heights.flip(1).cumsum(1).flip(1)
    value = (positive.heights * nearer).sum(1)
    return _tangent_at(pairs, value, positive.derivative(nearer), negative.derivative(farther))


def _tangent_at(pairs: Pairs, value: Tensor, by_positive: Tensor, by_distance: Tensor) -> Tangent:
    """Make the tangent of a loss that is curved, from its value and derivatives, and scale it."""
    value = value * pairs.scale.flatten()
    by_positive, by_distance = by_positive * pairs.scale, by_distance * pairs.scale
    distance = pairs.to_negatives()
    finite = distance.masked_fill(distance == torch.inf, 0)
    linear = (by_positive * pairs.positive).sum((1, 2, 3)) + (by_distance * finite).sum((1, 2, 3))
    return Tangent(value - linear, by_positive, by_distance.sum(2), -by_distance.sum(3))


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
