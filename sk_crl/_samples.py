"""Checked samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from numpy.typing import NDArray

if TYPE_CHECKING:
    import numpy as np
    from torch.utils.data import Dataset

    from sk_crl._labels import Labels


class Labelled(NamedTuple):
    """Checked samples with their labels as they were given.

    Attributes
    ----------
    X : ndarray of shape (n, ...) or Dataset
        What the samples are taken from.
    rows : ndarray of int64, shape (n_samples,)
        Where in it each sample is.
    labels : Labels
        Their labels.
    weight : ndarray of float64, shape (n_samples,)
        Their weights, all positive.
    """

    X: NDArray | Dataset
    rows: NDArray[np.int64]
    labels: Labels
    weight: NDArray[np.float64]


class Samples(NamedTuple):
    """Checked samples with the codes of their labels.

    Samples are never copied, for they may not fit into memory: rows tell which of them count.

    Attributes
    ----------
    X : ndarray of shape (n, ...) or Dataset
        What the samples are taken from.
    rows : ndarray of int64, shape (n_samples,)
        Where in it each sample is.
    codes : ndarray of int64, shape (n_samples, n_targets)
        Their class codes, -1 where a label is missing.
    weight : ndarray of float64, shape (n_samples,)
        Their weights, all positive.
    """

    X: NDArray | Dataset
    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    weight: NDArray[np.float64]

    def take(self, kept: NDArray) -> Samples:
        """Select samples by index or mask."""
        return Samples(self.X, self.rows[kept], self.codes[kept], self.weight[kept])
