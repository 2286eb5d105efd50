"""Which samples an ensemble deals to which fold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sk_crl._samples import Samples
from sk_crl._stratification import fold_codes

# The share of copies in a class, at least, that an over-sampler is taken to have made.
_LEAST_SHARE = 0.4


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
    original = _find_originals(samples)
    rows, original = np.unique(original, return_inverse=True)
    return fold_codes(samples.codes[rows], min(n_folds, len(rows)), rng)[original]


def _find_originals(samples: Samples) -> NDArray[np.int64]:
    """Find for every sample the first that it is a copy of, made by an over-sampler, or itself.

    Such a sampler leaves the largest class alone. In classes that repeat their rows hardly more
    often than that one, and in a class of nothing but equal rows, it is that values are few, and
    equal rows are samples in their own right.
    """
    places = np.arange(len(samples.rows))
    if not isinstance(samples.X, np.ndarray) or samples.X.ndim != 2:
        return places
    # By hashes, since samples may not fit into memory twice.
    features = np.array([hash(samples.X[row].tobytes()) for row in samples.rows])
    _, label = np.unique(samples.codes, axis=0, return_inverse=True)
    label = label.ravel()
    _, first, which = np.unique(
        np.column_stack([features, label]), axis=0, return_index=True, return_inverse=True
    )
    n_rows, n_distinct = np.bincount(label), np.bincount(label[first])
    repeated = 1 - n_distinct / n_rows
    usual = repeated[n_distinct == n_distinct.max()].min()
    is_copied = (repeated > max(2 * usual, _LEAST_SHARE)) & (n_distinct > 1)
    return np.where(is_copied[label], first[which.ravel()], places)
