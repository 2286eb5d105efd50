"""Stratification over several targets, from class codes: which row goes to which part.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011, On the stratification of
multi-label data) deals rows out one after the other, the rarest classes first, each to the part
that lacks its class most. Here all classes of a row have a say, by 1 / √size, so
that rare ones still decide and others break their ties; rows with the same labels are dealt out
in bulk as far as they divide; and swaps even out what is left.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

# What it costs if the training part lacks a class, and if the test part does. Uneven counts cost
# less than either: at most a few units.
STAKES = (1e6, 1e3)
MOST_CANDIDATES = 64  # rows a part that are looked at for a swap
MOST_LOOKS = 10**7  # labels looked at in search of swaps, some tenths of a second in all
LOOKS_PER_CALL = 5000  # labels looked at in the time that the calls of NumPy take


def fold_codes(
    codes: NDArray[np.int64], n_splits: int, rng: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Deal rows out to folds that hold every class as evenly as possible.

    Parameters
    ----------
    codes : ndarray of int64, shape (n_samples, n_targets)
        Class of every label, -1 where it is missing.
    n_splits : int
        Number of folds, at most as many as rows. Their sizes differ by at most 1.
    rng : numpy.random.Generator, optional
        Shuffles the rows; without it, they are taken in their order.

    Returns
    -------
    ndarray of int64, shape (n_samples,)
        Fold of every row.
    """
    n_samples = len(codes)
    sizes = n_samples // n_splits + (np.arange(n_splits) < n_samples % n_splits)
    portions = np.ones(n_splits, dtype=np.int64)
    if rng is None:
        return _deal(codes, sizes, portions)
    order = rng.permutation(n_samples)
    folds = np.empty(n_samples, dtype=np.int64)
    folds[order] = rng.permutation(n_splits)[_deal(codes[order], sizes, portions)]
    return folds


def split_codes(
    codes: NDArray[np.int64], n_test: int, rng: np.random.Generator, n_train: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows into a training and a test part that hold every class in like proportion.

    The training part holds every class that has a sample, wherever it has as many rows as there
    are classes. The test part holds every class that has two or more, where its size and the other
    labels of these rows allow.

    Parameters
    ----------
    codes : ndarray of int64, shape (n_samples, n_targets)
        Class of every label, -1 where it is missing.
    n_test : int
        Size of the test part.
    rng : numpy.random.Generator
        Shuffles the rows.
    n_train : int, optional
        Size of the training part; by default all other rows.

    Returns
    -------
    train, test : ndarray of int64
        Sorted indices of rows.

    Raises
    ------
    ValueError
        If a part would be empty, or both together larger than the data.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_crl._stratification import split_codes
    >>> codes = np.array([[0, 1], [0, -1], [0, 1], [0, 0], [1, 0], [1, -1]])
    >>> train, test = split_codes(codes, 2, np.random.default_rng(0))
    >>> codes[test].tolist()
    [[0, 1], [1, 0]]
    """
    n_samples = len(codes)
    n_train = n_samples - n_test if n_train is None else n_train
    if min(n_train, n_test) < 1 or n_train + n_test > n_samples:
        raise ValueError(
            f"{n_samples} rows cannot be split into {n_train} to train on and {n_test} to test on; "
            "each part needs one or more."
        )
    sizes = np.array([n_train, n_test, n_samples - n_train - n_test])
    order = rng.permutation(n_samples)
    sizes = sizes[sizes > 0]
    parts = _deal(codes[order], sizes, sizes, STAKES)
    return np.sort(order[parts == 0]), np.sort(order[parts == 1])


def _deal(
    codes: NDArray, sizes: NDArray, portions: NDArray, stakes: tuple[float, ...] = ()
) -> NDArray[np.int64]:
    """Deal rows out to parts; the parameters are those of _Deal."""
    deal = _Deal(codes, sizes, portions, stakes)
    free, wishes = deal.in_bulk(codes)
    deal.one_by_one(free, wishes)
    deal.hand_over()
    deal.even_out()
    return deal.part


class _Deal:
    """Rows on their way into parts.

    Parameters
    ----------
    codes : ndarray of int64, shape (n_samples, n_targets)
        Class of every label, -1 where it is missing.
    sizes : ndarray of int64, shape (n_parts,)
        Sizes of the parts; they add up to n_samples.
    portions : ndarray of int64, shape (n_parts,)
        In what proportion the parts should share every class: that of the sizes, or equally where
        these differ only because they must be whole numbers.
    stakes : tuple of float
        What it costs if the i-th part lacks a class that has more than i samples.
    """

    def __init__(
        self, codes: NDArray, sizes: NDArray, portions: NDArray, stakes: tuple[float, ...]
    ) -> None:
        n_samples = len(codes)
        starts = np.cumsum([0, *(codes.max(axis=0) + 1)])
        all_rows, missing = starts[-1], starts[-1] + 1
        # Numbers for the classes of all targets. A further class, of all rows, keeps sizes even.
        self.ids = np.full((n_samples, len(starts)), all_rows)
        self.ids[:, :-1] = np.where(codes < 0, missing, codes + starts[:-1])
        self.target = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        self.all_rows = all_rows
        self.sizes = sizes
        self.portions = portions
        self.part = np.full(n_samples, -1)
        self.total = np.bincount(self.ids.ravel(), minlength=missing + 1)
        self.total[missing] = 0
        self.weight = (self.total > 0) / np.sqrt(np.maximum(self.total, 1))
        self.ideal = self.total[:, None] * (portions / portions.sum())
        self.counts = np.zeros(self.ideal.shape, dtype=np.int64)
        self.stakes = np.zeros(self.ideal.shape)
        for part, stake in enumerate(stakes):
            self.stakes[:all_rows, part] = stake * (self.total[:all_rows] > part)

    def in_bulk(self, codes: NDArray) -> tuple[NDArray, NDArray]:
        """Deal out rows with the same labels, as many as every part surely gets of them.

        Return the rows left, the rarest classes first, and what every part should get of each.
        """
        # Sorting integers of 16 bits takes time linear in their number.
        codes = codes.astype(np.int16 if codes.max() < 2**15 else np.int64)
        order = np.lexsort(codes.T)
        is_first = np.ones(len(codes), dtype=bool)
        is_first[1:] = (codes[order[1:]] != codes[order[:-1]]).any(axis=1)
        group = np.cumsum(is_first) - 1
        starts = np.flatnonzero(is_first)
        n_alike = np.diff(starts, append=len(codes))[:, None]
        quotas, rests = np.divmod(n_alike * self.portions, self.portions.sum())
        place = np.arange(len(codes)) - starts[group]
        part = (place[:, None] >= quotas.cumsum(axis=1)[group]).sum(axis=1)
        is_left = part == len(self.sizes)
        self.part[order] = np.where(is_left, -1, part)
        free = order[is_left]
        wishes = (rests / rests.sum(axis=1, keepdims=True).clip(min=1))[group[is_left]]
        is_known = self.ids[free] != self.all_rows + 1
        rarest = self.total[self.ids[free]].min(axis=1, where=is_known, initial=len(codes))
        # By place in the data among equally rare ones, so that a shuffle of the rows counts.
        first = np.lexsort((free, rarest))
        return free[first], wishes[first]

    def one_by_one(self, free: NDArray, wishes: NDArray) -> None:
        """Put each of the other rows where its classes are lacking most."""
        # What all parts have in common does not matter; without it, equal parts tie exactly.
        wishes = wishes - wishes.min(axis=1, keepdims=True)
        weights = self.weight[self.ids[free]][..., None]
        # By class and part: the sum of the wishes less the rows got, times the weight.
        lack = np.zeros(self.ideal.shape)
        room = self.sizes - np.bincount(self.part[self.part >= 0], minlength=len(self.sizes))
        full = np.where(room > 0, 0, -np.inf)
        chosen = []
        for ids, weight, wish in zip(self.ids[free], weights, wishes, strict=True):
            here = lack.take(ids, axis=0) + weight * wish
            part = int((here.sum(axis=0) + full).argmax())
            here[:, part] -= weight[:, 0]
            lack[ids] = here
            room[part] -= 1
            if room[part] == 0:
                full[part] = -np.inf
            chosen.append(part)
        self.part[free] = chosen
        for part in range(len(self.sizes)):
            ids = self.ids[self.part == part]
            self.counts[:, part] = np.bincount(ids.ravel(), minlength=len(self.total))

    def hand_over(self) -> None:
        """Get every part a row of each class that it must not lack."""
        for part, label in np.argwhere((self.stakes.T > 0) & (self.counts.T == 0)):
            rows = np.flatnonzero(self.ids[:, self.target[label]] == label)
            for holder in np.flatnonzero(self.counts[label]):
                if self.counts[label, part]:
                    break
                self._swap_rows(holder, part, rows[self.part[rows] == holder])

    def even_out(self) -> None:
        """Swap rows of two parts while that evens classes out."""
        looks = 0
        improved = True
        while improved:
            improved = False
            for one, other in combinations(range(len(self.sizes)), 2):
                while looks < MOST_LOOKS:
                    n_labels = self.ids.shape[1] * (self.sizes[one] + self.sizes[other])
                    looks += LOOKS_PER_CALL + n_labels
                    if not self._swap_rows(one, other, np.flatnonzero(self.part == one)):
                        break
                    improved = True

    def _swap_rows(self, one: int, other: int, rows: NDArray) -> bool:
        """Make the best swap of one of `rows`, of `one`, for a row of `other`, if any is good."""
        there, costs_there = self._candidates(one, other, rows)
        back, costs_back = self._candidates(other, one, np.flatnonzero(self.part == other))
        # A class that both rows have stays where it is.
        differs = self.ids[there][:, None] != self.ids[back]
        costs = (differs * (costs_there[:, None] + costs_back)).sum(axis=2)
        first, second = np.unravel_index(costs.argmin(), costs.shape)
        if costs[first, second] > -1e-8:
            return False
        self._move(int(there[first]), other)
        self._move(int(back[second]), one)
        return True

    def _move(self, row: int, part: int) -> None:
        """Move a row from its part to another."""
        self.counts[self.ids[row], self.part[row]] -= 1
        self.counts[self.ids[row], part] += 1
        self.part[row] = part

    def _candidates(self, source: int, goal: int, rows: NDArray) -> tuple[NDArray, NDArray]:
        """Find those of the rows of `source` that `goal` wants most; what each label costs.

        The cost of an uneven class is the sum over the parts of (count - ideal count)² / √size.
        """
        excess = self.counts - self.ideal
        cost = 2 * self.weight * (1 - excess[:, source] + excess[:, goal])
        cost += self.stakes[:, source] * (self.counts[:, source] == 1)
        cost -= self.stakes[:, goal] * (self.counts[:, goal] == 0)
        costs = cost[self.ids[rows]]
        best = np.argsort(costs.sum(axis=1), kind="stable")[:MOST_CANDIDATES]
        return rows[best], costs[best]
