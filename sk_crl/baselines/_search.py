r"""The search for offsets: coordinate ascent whose every step is an exact line search.

Let :math:`s_{ic} = \log p_{ic}`. With the offsets of all other classes fixed, row i is given to
class c where :math:`b_c > t_i = \max_{j \ne c} (s_{ij} + b_j) - s_{ic}`, and to the class of that
maximum elsewhere. So whatever is computed from predicted classes is constant between neighbouring
breakpoints t. A sum over rows, as balanced accuracy is, has its values in all of these intervals
by one sort and one cumulative sum.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_CUTS = 100  # intervals in which a metric is tried that is no sum over rows
MOST_PASSES = 100  # over all classes; three to five do, mostly
RESOLUTION = 1e-12  # scores that differ by less are equal but for rounding
CLOSE = 1e-9  # breakpoints that differ by less are one
STEP = 1.0  # how far beyond the last breakpoint an offset goes


class Scores(NamedTuple):
    """What is known of the rows of one target.

    Attributes
    ----------
    log_probabilities : ndarray of shape (n_samples, n_classes)
        Out-of-fold; minus infinity where the probability is 0.
    codes : ndarray of int, shape (n_samples,)
        True classes.
    weight : ndarray of shape (n_samples,)
        Weights of the rows, all positive.
    """

    log_probabilities: NDArray[np.float64]
    codes: NDArray[np.int64]
    weight: NDArray[np.float64]

    def predict(self, offsets: NDArray) -> NDArray[np.int64]:
        """Give every row to the class of the highest score."""
        return (self.log_probabilities + offsets).argmax(axis=1)

    def values(self) -> NDArray[np.float64]:
        """Say what every row adds to the balanced accuracy if it is predicted right."""
        totals = np.bincount(self.codes, self.weight)
        return self.weight / totals[self.codes] / np.count_nonzero(totals)


def ascend(
    scores: Scores,
    start: NDArray[np.float64],
    metric: Callable[[NDArray], float] | None = None,
) -> NDArray[np.float64]:
    """Climb to offsets that no change of a single one improves.

    Parameters
    ----------
    scores : Scores
        Out-of-fold scores.
    start : ndarray of shape (n_classes,)
        Offsets to start from.
    metric : callable, optional
        What to maximise, from predicted classes to a number; the balanced accuracy by default.

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    climber = _Climber(scores, metric)
    offsets, best = start, climber.measure(start)
    for _ in range(MOST_PASSES):
        # Without a gain, too, each goes to the middle of its interval, as the others have moved.
        offsets, now = climber.pass_over_classes(offsets, best, -RESOLUTION)
        if now <= best + RESOLUTION:
            offsets, now = climber.pass_over_classes(offsets, best, RESOLUTION)
            if now <= best + RESOLUTION:
                break
        best = now
    return offsets


class _Climber(NamedTuple):
    """The steps of the ascent."""

    scores: Scores
    metric: Callable[[NDArray], float] | None

    def measure(self, offsets: NDArray) -> float:
        """Compute what is maximised."""
        predicted = self.scores.predict(offsets)
        if self.metric is not None:
            return self.metric(predicted)
        return float(self.scores.values() @ (predicted == self.scores.codes))

    def pass_over_classes(
        self, offsets: NDArray, best: float, least_gain: float
    ) -> tuple[NDArray[np.float64], float]:
        """Move one offset after the other to its best interval, if that gains enough."""
        for c in range(len(offsets)):
            edges, levels = self._levels(offsets, c)
            if levels.max() <= best + least_gain:
                continue
            moved = offsets.copy()
            moved[c] = middle_of_best(edges, levels, offsets[c])
            score = self.measure(moved)
            if score > best + least_gain:
                offsets, best = moved, max(best, score)
        return offsets, best

    def _levels(self, offsets: NDArray, c: int) -> tuple[NDArray, NDArray]:
        """Compute what is maximised for all offsets of one class: ends of intervals, and values."""
        log_probabilities, codes, _ = self.scores
        breakpoints, runners_up = find_breakpoints(log_probabilities, offsets, c)
        if self.metric is not None:
            edges = few_edges(breakpoints)
            return edges, _levels_between(edges, self.scores, offsets, c, self.metric)
        values = self.scores.values()
        wins_always = np.isneginf(breakpoints)
        lowest = values @ (codes == np.where(wins_always, c, runners_up))
        gains = values * ((codes == c) * 1.0 - (codes == runners_up))
        edges, sums = sum_between(breakpoints, gains)
        return edges, lowest + sums


def find_breakpoints(
    log_probabilities: NDArray, offsets: NDArray, c: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the offset of class c beyond which it wins each row, and who wins before.

    Infinite where it never wins, or always.
    """
    others = log_probabilities + offsets
    others[:, c] = -np.inf
    return others.max(axis=1) - log_probabilities[:, c], others.argmax(axis=1)


def sum_between(breakpoints: NDArray, gains: NDArray) -> tuple[NDArray, NDArray]:
    """Sum the gains of all rows that are won, in every interval between breakpoints.

    Returns
    -------
    edges : ndarray of shape (n_intervals + 1,)
        Ends of the intervals, from minus infinity to infinity.
    sums : ndarray of shape (n_intervals,)
        The sum in every interval, 0 in the first.
    """
    is_finite = np.isfinite(breakpoints)
    inner = _distinct(breakpoints)
    place = np.searchsorted(inner, breakpoints[is_finite], side="right") - 1
    steps = np.bincount(place, gains[is_finite], len(inner))
    return _with_ends(inner), np.concatenate([[0.0], np.cumsum(steps)])


def few_edges(breakpoints: NDArray) -> NDArray[np.float64]:
    """Choose breakpoints, evenly spread among all, that leave no more than 100 intervals."""
    inner = _distinct(breakpoints)
    if len(inner) >= MOST_CUTS:
        inner = inner[np.linspace(0, len(inner) - 1, MOST_CUTS - 1).round().astype(int)]
    return _with_ends(inner)


def _distinct(breakpoints: NDArray) -> NDArray[np.float64]:
    """Sort the finite breakpoints; of those that differ by rounding alone the first stands."""
    inner = np.unique(breakpoints[np.isfinite(breakpoints)])
    return inner[np.diff(inner, prepend=-np.inf) > CLOSE]


def _with_ends(inner: NDArray) -> NDArray[np.float64]:
    return np.concatenate([[-np.inf], inner, [np.inf]])


def _levels_between(
    edges: NDArray, scores: Scores, offsets: NDArray, c: int, metric: Callable[[NDArray], float]
) -> NDArray[np.float64]:
    """Measure in the middle of every interval."""
    levels = []
    for low, high in pairwise(edges):
        moved = offsets.copy()
        moved[c] = _middle(low, high, offsets[c])
        levels.append(metric(scores.predict(moved)))
    return np.array(levels)


def middle_of_best(edges: NDArray, levels: NDArray, now: float) -> float:
    """Find the middle of the best interval, neighbours that are as good included.

    Of several that are equally good and no neighbours, the nearest to where the offset is now.
    """
    is_best = np.concatenate([[False], levels >= levels.max() - RESOLUTION, [False]])
    turns = np.flatnonzero(is_best[1:] != is_best[:-1])
    lows, highs = edges[turns[::2]], edges[turns[1::2]]
    distances = np.maximum(np.maximum(lows - now, now - highs), 0)
    nearest = distances.argmin()
    return _middle(lows[nearest], highs[nearest], now)


def _middle(low: float, high: float, now: float) -> float:
    """Find the middle of an interval; in one without an end, stay near the other."""
    if np.isfinite(low) and np.isfinite(high):
        return (low + high) / 2
    return float(np.clip(now, low + STEP, high - STEP))
