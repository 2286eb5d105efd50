"""Which samples an ensemble deals to which fold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sk_crl._samples import Samples
from sk_crl._stratification import fold_codes


def deal_folds(samples: Samples, n_folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal samples out to folds that hold every class as evenly as possible.

    Copies that an over-sampler has made of rows go to the fold of the row: what a network has
    learned by heart says nothing of how well it does.

    Parameters
    ----------
    samples : Samples
        The samples.
    n_folds : int
        Number of folds, or fewer where there are fewer samples that are no copies.
    rng : numpy.random.Generator
        Shuffles them.

    Returns
    -------
    ndarray of int64, shape (n_samples,)
        Fold of every sample, from 0.
    """
    first, original = _find_copies(samples)
    return fold_codes(samples.codes[first], min(n_folds, len(first)), rng)[original]


def _find_copies(samples: Samples) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the samples that are no copies made by an over-sampler, and of which each is a copy.

    Such a sampler leaves the largest class alone. Where rows of that are equal, too, it is that
    values are few, and equal rows are samples in their own right.
    """
    n_samples = len(samples.rows)
    none = np.arange(n_samples), np.arange(n_samples)
    if not isinstance(samples.X, np.ndarray) or samples.X.ndim != 2:
        return none
    table = np.ascontiguousarray(samples.X[samples.rows])
    as_one = table.view(np.dtype((np.void, table.itemsize * table.shape[1]))).ravel()
    features, same_features = np.unique(as_one, return_inverse=True)
    if len(features) == n_samples:
        return none
    _, label = np.unique(samples.codes, axis=0, return_inverse=True)
    whole = np.column_stack([same_features.ravel(), label.ravel()])
    _, first, original, n_equal = np.unique(
        whole, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    label_of_first = label.ravel()[first]
    largest = np.bincount(label_of_first).argmax()
    if n_equal.max() == 1 or n_equal[label_of_first == largest].max() > 1:
        return none
    return first, original.ravel()
