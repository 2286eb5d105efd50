r"""Over- and down-sampling of several targets at once.

A row has a class in every target, so that replicating it for one target's sake moves the counts of
all others. As in ML-ROS and ML-RUS (Charte, Rivera, del Jesus and Herrera, 2015, *Addressing
imbalance in multilabel classification*), rows are replicated, or dropped, one at a time, for the
class that is furthest from an even share; here a row is chosen by what it does to all targets.

Unevenness is the squared coefficient of variation of a target's class counts, summed over targets:

.. math:: \sum_t \Big( K_t \sum_c n_{tc}^2 / n_t^2 - 1 \Big)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_CANDIDATES = 64  # rows of a class that are looked at for a step
LEAST_PULL = 1e-9  # beneath it lies what rounding makes of none


def even_out(codes: NDArray[np.int64], step: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Replicate or drop rows until every target's classes are as even as they can be.

    Every step takes, for the class that has too few rows (or too many) by the largest factor, the
    row of `MOST_CANDIDATES` random ones along whose weight unevenness falls most steeply. Steps end
    where it falls along none, or where the rows are as many as over-sampling makes them for the one
    target that needs most (as few as down-sampling leaves for the one target that loses most). The
    last row of a class is never dropped. Since a row is no small step where rows are few, those
    steps are returned that led to the least unevenness.

    Parameters
    ----------
    codes : ndarray of int64, shape (n_samples, n_targets)
        Class of every label, -1 where it is missing.
    step : {1, -1}
        Replicate or drop.
    rng : numpy.random.Generator
        Chooses the rows that are looked at.

    Returns
    -------
    ndarray of int64
        Indices of rows: all of them and then the replicates, or those that are kept, sorted.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_crl.baselines._evening import even_out
    >>> codes = np.array([[0, 0], [0, 0], [0, 1], [1, -1]])
    >>> even_out(codes, 1, np.random.default_rng(0)).tolist()
    [0, 1, 2, 3, 3, 2]
    """
    evening = _Evening(codes, step, rng)
    n_steps = -1
    while n_steps != len(evening.taken):  # a class that was given up may have come within reach
        n_steps = len(evening.taken)
        evening.go()
    taken = np.array(evening.taken[: int(np.argmin(evening.unevenness))], dtype=np.int64)
    rows = np.arange(len(codes))
    return np.concatenate([rows, taken]) if step > 0 else np.delete(rows, taken)


class _Evening:
    """Class counts of all targets, side by side, and the rows that are behind them.

    Parameters
    ----------
    codes, step, rng
        Those of `even_out`.
    """

    def __init__(self, codes: NDArray, step: int, rng: np.random.Generator):
        self.step = step
        self.rng = rng
        widths = codes.max(axis=0) + 1
        starts = np.cumsum(widths) - widths
        # One more column, without a part in anything, is for missing labels.
        self.columns = np.where(codes >= 0, codes + starts, widths.sum())
        self.target = np.repeat(np.arange(len(widths)), widths)
        self.counts = np.bincount(self.columns.ravel(), minlength=widths.sum() + 1)[:-1]
        self.n_classes = np.bincount(self.target[self.counts > 0], minlength=len(widths))
        self.sizes = np.bincount(self.target, self.counts, len(widths))
        self.squares = np.bincount(self.target, self.counts**2, len(widths))
        self.rows: dict[int, NDArray] = {}
        for column in self.columns.T:
            order = np.argsort(column, kind="stable")
            found, first = np.unique(column[order], return_index=True)
            self.rows |= dict(zip(found.tolist(), np.split(order, first[1:]), strict=True))
        self.is_there = np.ones(len(codes), dtype=bool)
        self.taken: list[int] = []
        self.unevenness = [self._unevenness()]
        self.most_steps = self._room()

    def _room(self) -> int:
        """Count the steps to the size that sampling for one target alone would lead to."""
        there = self.counts > 0
        reached = (self.n_classes[self.target] * self.counts)[there]
        size = reached.max() if self.step > 0 else reached.min()
        return max(0, int(self.step * (size - len(self.columns))))

    def go(self) -> None:
        """Take steps for all classes, until none lowers unevenness."""
        is_open = self.counts > 0
        while len(self.taken) < self.most_steps:
            share = self.counts * self.n_classes[self.target] / self._sizes()[self.target]
            lack = np.where(is_open, self.step * (1 - share), 0)
            neediest = int(lack.argmax())
            if lack[neediest] <= 0:
                return
            candidates = self._candidates(neediest)
            pulls = self.pulls()[self.columns[candidates]].sum(axis=1)
            best = int(pulls.argmax())
            if pulls[best] > LEAST_PULL:
                self._take(int(candidates[best]))
            else:
                is_open[neediest] = False

    def _sizes(self) -> NDArray[np.float64]:
        """Count the labels of every target; a target without any has nothing to be divided."""
        return np.maximum(self.sizes, 1)

    def _unevenness(self) -> float:
        of_targets = self.n_classes * self.squares / self._sizes() ** 2
        return float(of_targets.sum() - (self.sizes > 0).sum())

    def _candidates(self, column: int) -> NDArray[np.int64]:
        """Draw rows of a class, in random order."""
        rows = self.rows[column]
        if len(rows) > 2 * self.counts[column] and self.step < 0:
            rows = self.rows[column] = rows[self.is_there[rows]]
        if len(rows) <= MOST_CANDIDATES:
            drawn = self.rng.permutation(rows)
        else:
            drawn = rows[self.rng.integers(len(rows), size=MOST_CANDIDATES)]
        return drawn if self.step > 0 else drawn[self.is_there[drawn]]

    def pulls(self) -> NDArray[np.float64]:
        r"""Compute how steeply unevenness falls with a step in every column.

        Along the weight of a row it falls by
        :math:`2 \sum_t K_t (\sum_c n_{tc}^2 / n_t - n_{tc'}) / n_t^2`, where c' are its classes.
        Here these terms are in units of rows of the largest target, and 0 for a missing label.
        """
        sizes = self._sizes()
        scale = self.n_classes * (sizes.max() / sizes) ** 2
        pulls = scale[self.target] * ((self.squares / sizes)[self.target] - self.counts)
        if self.step < 0:
            pulls = np.where(self.counts > 1, -pulls, -np.inf)
        return np.append(pulls, 0.0)

    def _take(self, row: int) -> None:
        columns = self.columns[row]
        columns = columns[columns < len(self.counts)]
        targets = self.target[columns]
        self.squares[targets] += 2 * self.step * self.counts[columns] + 1
        self.sizes[targets] += self.step
        self.counts[columns] += self.step
        self.is_there[row] = self.step > 0
        self.taken.append(row)
        self.unevenness.append(self._unevenness())
