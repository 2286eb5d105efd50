"""Checked samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Samples(NamedTuple):
    """Checked samples.

    Attributes
    ----------
    X : ndarray of float32, shape (n_samples, ...)
        The samples.
    codes : ndarray of int64, shape (n_samples, n_targets)
        Their class codes, -1 where a label is missing.
    weight : ndarray of float64, shape (n_samples,)
        Their weights, all positive.
    """

    X: NDArray[np.float32]
    codes: NDArray[np.int64]
    weight: NDArray[np.float64]

    def take(self, rows: NDArray) -> Samples:
        """Select samples by index or mask."""
        return Samples(self.X[rows], self.codes[rows], self.weight[rows])
