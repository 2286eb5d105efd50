"""Rectification by relative comparison (Eq. 3-7, 9-11) in loops, for Numba to compile.

Plain loops, because array expressions take longer to compile. All in one module, because what is
kept on the disk is compiled anew where this file changes, and no other.

Functions without a decorator are compiled elsewhere: whether the result can be kept on the disk
shows only then.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sk_crl.loss._profile import ROUNDING


def rectify_probabilities(
    p: NDArray, codes: NDArray, scale: NDArray, kappa: int, rho: float, margin: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """Compute every target's loss, and its derivatives by the logarithms of probabilities.

    Parameters
    ----------
    p : ndarray of shape (n_targets, n_classes, n_samples)
        Softmax probabilities.
    codes : ndarray of int64, shape (n_targets, n_samples)
        Class of each sample, -1 where it is missing.
    scale : ndarray of shape (n_targets,)
        What each target's loss is multiplied by.
    kappa : int
        Hard samples of each kind.
    rho : float
        Share of the batch that minority classes may hold.
    margin : ndarray of shape (n_targets,)
        Margin of each target's comparison.

    Returns
    -------
    loss : ndarray of float64, shape (n_targets,)
        The loss.
    rows : ndarray of int64, shape (n_targets, n_anchor_classes)
        The classes whose samples are anchors, as rows of those of all targets; a target's first
        row where it has fewer of them than another.
    by_log_p : ndarray of shape (n_targets, n_anchor_classes, n_samples)
        Its derivatives by those of these classes.
    """
    n_targets, n_classes, n_samples = p.shape
    sizes = np.zeros((n_targets, n_classes), np.int64)
    n_anchor_classes = 0
    for target in range(n_targets):
        n_anchor_classes = max(n_anchor_classes, _minority_sizes(codes[target], rho, sizes[target]))
    loss = np.zeros(n_targets)
    rows = np.empty((n_targets, n_anchor_classes), np.int64)
    by_log_p = np.zeros((n_targets, n_anchor_classes, n_samples), p.dtype)
    for target in range(n_targets):
        rows[target] = target * n_classes
        n_triplets = _count_triplets(codes[target], sizes[target], kappa)
        if n_triplets * scale[target] == 0:
            continue
        each = scale[target] / n_triplets
        place = 0
        for k in range(n_classes):
            if sizes[target, k]:
                row, by_row = p[target, k], by_log_p[target, place]
                total = _rectify_class(row, codes[target], k, kappa, margin[target], by_row)
                loss[target] += each * total
                for i in range(n_samples):
                    by_row[i] *= each * row[i]
                    loss[target] += 0 * row[i]  # NaN, where a probability is NaN
                rows[target, place] += k
                place += 1
    return loss, rows, by_log_p


def rectify_features(
    features: NDArray, codes: NDArray, scale: NDArray, kappa: int, rho: float, margin: NDArray
) -> tuple[NDArray, NDArray]:
    """Compute every target's loss, and its derivatives by features.

    Parameters
    ----------
    features : ndarray of shape (1 or n_targets, n_samples, d)
        Features, shared by the targets or of each.
    codes : ndarray of int64, shape (n_targets, n_samples)
        Class of each sample, -1 where it is missing.
    scale : ndarray of shape (n_targets,)
        What each target's loss is multiplied by.
    kappa : int
        Hard samples of each kind.
    rho : float
        Share of the batch that minority classes may hold.
    margin : ndarray of shape (n_targets,)
        Margin of each target's comparison.

    Returns
    -------
    loss : ndarray of float64, shape (n_targets,)
        The loss.
    by_feature : ndarray of shape (n_targets, n_samples, d)
        Its derivatives by each target's features.
    """
    n_targets, n_samples = codes.shape
    n_classes = 0
    for k in codes.flat:
        n_classes = max(n_classes, k + 1)
    loss = np.zeros(n_targets)
    by_feature = np.zeros((n_targets, n_samples, features.shape[2]), features.dtype)
    for target in range(n_targets):
        sizes = np.zeros(n_classes, np.int64)
        _minority_sizes(codes[target], rho, sizes)
        n_triplets = _count_triplets(codes[target], sizes, kappa)
        if n_triplets * scale[target] == 0:
            continue
        each = scale[target] / n_triplets
        own = features[target % len(features)]  # the only ones, where targets share them
        columns = own.T.copy()  # so that distances are summed up side by side
        for anchor in range(n_samples):
            k = codes[target, anchor]
            if k < 0 or not sizes[k]:
                continue
            distance = _distances_to(anchor, columns)
            by_distance = np.zeros(n_samples)
            total = _rectify_anchor(distance, codes[target], k, kappa, margin[target], by_distance)
            loss[target] += each * total
            for i in range(n_samples):
                loss[target] += 0 * distance[i]  # NaN, where a feature is NaN or infinite
                if by_distance[i] and distance[i]:
                    slope = each * by_distance[i] / distance[i]
                    _add_slope(own, anchor, i, slope, by_feature[target])
    return loss, by_feature


@njit(nogil=True)
def _count_triplets(codes: NDArray, sizes: NDArray, kappa: int) -> int:
    """Count the triplets of all anchors, by the sizes of their classes."""
    n_labelled = 0
    for k in codes:
        n_labelled += k >= 0
    n_triplets = 0
    for size in sizes:
        n_triplets += size * min(size - 1, kappa) * min(n_labelled - size, kappa)
    return n_triplets


@njit(nogil=True)
def _minority_sizes(codes: NDArray, rho: float, sizes: NDArray) -> int:
    """Fill in the sizes of the minority classes, 0 for others (Eq. 3); return how many there are.

    Classes are taken from the smallest up, ties by index: all below some size are affordable, and
    of those of that size the first.
    """
    n_labelled = 0
    for k in codes:
        if k >= 0:
            sizes[k] += 1
            n_labelled += 1
    n_of_size = np.zeros(n_labelled + 2, np.int64)
    for size in sizes:
        n_of_size[size] += 1
    left = n_labelled * rho + ROUNDING
    limit = 1
    while limit <= n_labelled and limit * n_of_size[limit] <= left:
        left -= limit * n_of_size[limit]
        limit += 1
    n_minority = 0
    for k in range(len(sizes)):
        is_affordable = sizes[k] < limit
        if sizes[k] == limit <= left:
            left -= limit
            is_affordable = True
        if is_affordable and sizes[k] >= 2:
            n_minority += 1
        else:
            sizes[k] = 0
    return n_minority


@njit(nogil=True)
def _rectify_class(
    p: NDArray, codes: NDArray, k: int, kappa: int, margin: float, by_p: NDArray
) -> float:
    """Add up the triplets of a class's anchors; write the derivatives by its probabilities.

    For an anchor and a positive write ``t = m + d(a, +) - p_a``. The triplets above 0 are those
    with ``-p_- < t``: the first r of the ascending ``-p_-`` (see `relative_comparison`). Where the
    positive is harder than its anchor, ``t = m - p_+`` whatever the anchor, so that it counts for
    all its easier anchors at once. Where it is easier, ``t = m + p_+ - 2 p_a``. Where they are
    equal ``t = m - p_a``, for their distance has derivative 0.

    So members are taken in runs of equal probability, the hardest first. The `kappa` positives of
    an anchor are the `start` members before its run, then up to ``kappa - start`` others of its
    run, then easier ones.
    """
    n_members, n_hard, place, member = _hardest(p, codes, k, True, kappa + 1)
    _, n_negatives, negative_place, negative = _hardest(p, codes, k, False, kappa)
    sums = np.zeros(n_negatives + 1)  # of the first r negatives
    for i in range(n_negatives):
        sums[i + 1] = sums[i] + negative[i]
    n_pairs = np.zeros(n_negatives + 1)  # that reach the first r negatives and no more
    by_member = np.zeros(n_hard)
    loss = 0.0
    start, r = 0, n_negatives
    while start < n_hard:
        end = start + 1
        while end < n_hard and member[end] == member[start]:
            end += 1
        n_here = n_equal = end - start
        if end == n_hard < n_members:  # the run may go on among the members that are not mined
            n_equal = 0
            for i in range(len(p)):
                n_equal += codes[i] == k and p[i] == member[start]
        n_easier = n_members - start - n_equal

        # The run as positives of easier anchors and of its own; t falls from run to run.
        t = margin - member[start]
        while r > 0 and not negative[r - 1] < t:
            r -= 1
        n_equal_positives = min(n_equal - 1, kappa - start)
        n = n_easier * (min(end, kappa) - start) + n_equal * n_equal_positives
        loss += n * (r * t - sums[r])
        n_pairs[r] += n
        by_positive = -n_easier * r
        by_anchor = -n_equal_positives * r

        # The run as anchors of easier positives; t rises with them.
        reach = r
        for i in range(end, n_hard):
            t = margin + member[i] - 2 * member[start]
            while reach < n_negatives and negative[reach] < t:
                reach += 1
            loss += n_here * (reach * t - sums[reach])
            n_pairs[reach] += n_here
            by_member[i] += n_here * reach
            by_anchor -= 2 * reach

        for i in range(start, end):
            by_member[i] += by_anchor
            if i < kappa:
                by_member[i] += by_positive
        if n_equal > n_here:
            for i in range(len(p)):
                if codes[i] == k and p[i] == member[start]:
                    by_p[i] = by_anchor
        start = end

    for i in range(n_hard):
        by_p[place[i]] = by_member[i]
    # A negative is in the triplets of all pairs that reach as far.
    n_reaching = 0.0
    for i in range(n_negatives - 1, -1, -1):
        n_reaching += n_pairs[i + 1]
        by_p[negative_place[i]] = n_reaching
    return loss


@njit(nogil=True)
def _distances_to(anchor: int, columns: NDArray) -> NDArray:
    """Compute the distance of every sample to an anchor; features come column by column.

    Not by ``|a|² + |b|² - 2ab``, which loses the digits of small distances.
    """
    width, n_samples = columns.shape
    distance = np.zeros(n_samples, columns.dtype)
    for column in range(width):
        own = columns[column, anchor]
        for i in range(n_samples):
            distance[i] += (columns[column, i] - own) ** 2
    for i in range(n_samples):
        distance[i] = np.sqrt(distance[i])
    return distance


@njit(nogil=True)
def _rectify_anchor(
    distance: NDArray, codes: NDArray, k: int, kappa: int, margin: float, by_distance: NDArray
) -> float:
    """Add up an anchor's triplets; write the derivatives by its distances.

    With ``t = m + d(a, +)`` the triplets above 0 are those with ``d(a, -) < t``: the first r of the
    ascending ``d(a, -)``. From the farthest positive on t falls, and so does r.

    The anchor is a member of its class and the nearest, at distance 0, so that it is the last to be
    mined: it is left out by taking one positive less than there are members. Another sample at
    distance 0 may be left out in its place, which has the same value and no derivative either.
    """
    nearness = -distance
    n_members, _, positive_place, positive = _hardest(nearness, codes, k, True, kappa)
    _, n_negatives, negative_place, negative = _hardest(nearness, codes, k, False, kappa)
    sums = np.zeros(n_negatives + 1)  # of the first r negatives
    for i in range(n_negatives):
        sums[i + 1] = sums[i] + negative[i]
    n_positives = np.zeros(n_negatives + 1)  # that reach the first r negatives and no more
    loss = 0.0
    r = n_negatives
    for i in range(min(n_members - 1, kappa)):
        t = margin - positive[i]  # which are distances with their sign turned
        while r > 0 and not negative[r - 1] < t:
            r -= 1
        loss += r * t - sums[r]
        by_distance[positive_place[i]] = r
        n_positives[r] += 1
    n_reaching = 0.0
    for i in range(n_negatives - 1, -1, -1):
        n_reaching += n_positives[i + 1]
        by_distance[negative_place[i]] = -n_reaching
    return loss


@njit(nogil=True)
def _add_slope(features: NDArray, one: int, other: int, slope: float, by_feature: NDArray) -> None:
    """Add the derivatives of half the squared distance of two samples, times a slope."""
    for column in range(features.shape[1]):
        step = slope * (features[one, column] - features[other, column])
        by_feature[one, column] += step
        by_feature[other, column] -= step


@njit(nogil=True)
def _hardest(
    p: NDArray, codes: NDArray, k: int, of_class: bool, most: int
) -> tuple[int, int, NDArray, NDArray]:
    """Mine the members of a class of lowest ``p``, or those of other classes of highest ``p``.

    An insertion sort that keeps no more than it must: most samples are not inserted at all.

    Returns
    -------
    n_all, n_hard : int
        How many there are, and how many of them are mined.
    place, hardest : ndarray of shape (most,)
        Where the mined ones stand, and their ``p``, or ``-p`` of those of other classes: ascending,
        of equal ones the first first.
    """
    place = np.empty(most, np.int64)
    hardest = np.empty(most, p.dtype)
    n_all = n_hard = 0
    for i in range(len(p)):
        if codes[i] >= 0 and (codes[i] == k) == of_class:
            n_all += 1
            value = p[i] if of_class else -p[i]
            if n_hard < most or value < hardest[most - 1]:
                n_hard = min(n_hard + 1, most)
                at = n_hard - 1
                while at > 0 and value < hardest[at - 1]:
                    place[at], hardest[at] = place[at - 1], hardest[at - 1]
                    at -= 1
                place[at], hardest[at] = i, value
    return n_all, n_hard, place, hardest
