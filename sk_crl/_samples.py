"""Checked samples, as arrays and as tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sk_crl.training._data import TensorData


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


def as_tensors(samples: Samples, device: torch.device) -> TensorData:
    """Put samples on the device that trains."""
    from sk_crl.training._data import TensorData

    codes = torch.from_numpy(samples.codes)
    weighted = (samples.weight != 1).any()
    return TensorData(
        from_array(samples.X).to(device),
        (codes[:, 0] if codes.shape[1] == 1 else codes).to(device),
        torch.as_tensor(samples.weight, dtype=torch.float32).to(device) if weighted else None,
    )


def from_array(X: NDArray[np.float32]) -> torch.Tensor:
    """Share an array's memory with a tensor, or copy it where it must not be written to."""
    return torch.from_numpy(X if X.flags.writeable else X.copy())
