"""Nearest neighbours for every target."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier


def fit_neighbors(
    features: Sequence[NDArray],
    codes: NDArray[np.int64],
    titles: Sequence[str],
    n_neighbors: int,
    weights: Any,
) -> list[KNeighborsClassifier]:
    """Fit a classifier for every target, on the samples that have a label of it.

    Where there are fewer of these than `n_neighbors` all of them decide, which a warning says.

    Parameters
    ----------
    features : sequence of ndarray of shape (n_samples, d)
        The features, for every target.
    codes : ndarray of int64, shape (n_samples, n_targets)
        Class codes from 0 on, each of which occurs, and -1 where a label is missing.
    titles : sequence of str
        What messages call the targets.
    n_neighbors : int
        Number of samples that decide.
    weights : {"uniform", "distance"} or callable
        How much they count.

    Returns
    -------
    list of KNeighborsClassifier
        The classifiers, whose classes are the codes.
    """
    fitted = []
    for title, of_target, known in zip(titles, features, codes.T, strict=True):
        has_label = known >= 0
        n_rows = int(has_label.sum())
        if n_rows < n_neighbors:
            warnings.warn(
                f"n_neighbors={n_neighbors} is more than the rows with a label of {title}: all "
                f"{n_rows} decide.",
                stacklevel=4,
            )
        neighbors = KNeighborsClassifier(min(n_neighbors, n_rows), weights=weights)
        fitted.append(neighbors.fit(of_target[has_label], known[has_label]))
    return fitted


def check_weights(weights: Any) -> None:
    """Raise ValueError unless these are weights of neighbours."""
    if not (callable(weights) or (isinstance(weights, str) and weights in ("uniform", "distance"))):
        raise ValueError(
            f"weights must be 'uniform', 'distance' or a function of distances; got {weights!r}."
        )
