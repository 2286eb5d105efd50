"""Which samples an ensemble deals to which fold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sk_crl._samples import Samples
from sk_crl._stratification import fold_codes


def deal_folds(samples: Samples, n_folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal samples out to folds that hold every class as evenly as possible.

    Rows of a table that are copies of each other, as an over-sampler makes them, go to the same
    fold: what a network has learned by heart says nothing of how well it does. Unless there is
    but one row and all are copies of it.

    Parameters
    ----------
    samples : Samples
        The samples.
    n_folds : int
        Number of folds, or fewer where there are fewer samples that differ.
    rng : numpy.random.Generator
        Shuffles them.

    Returns
    -------
    ndarray of int64, shape (n_samples,)
        Fold of every sample, from 0.
    """
    first, original = _find_copies(samples)
    if len(first) in (1, len(original)):
        return fold_codes(samples.codes, min(n_folds, len(original)), rng)
    return fold_codes(samples.codes[first], min(n_folds, len(first)), rng)[original]


def _find_copies(samples: Samples) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find one of every set of copies, and for every sample the number of its set."""
    n_samples = len(samples.rows)
    alone = np.arange(n_samples), np.arange(n_samples)
    if not isinstance(samples.X, np.ndarray) or samples.X.ndim != 2:
        return alone
    table = np.ascontiguousarray(samples.X[samples.rows])
    as_one = table.view(np.dtype((np.void, table.itemsize * table.shape[1]))).ravel()
    features, same_features = np.unique(as_one, return_inverse=True)
    if len(features) == n_samples:
        return alone
    whole = np.column_stack([same_features, samples.codes])
    _, first, original = np.unique(whole, axis=0, return_index=True, return_inverse=True)
    return first, original.ravel()
