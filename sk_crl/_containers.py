"""From class codes back to labels, in the container that the labels came in."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sk_crl._labels import Labels


def decode(codes: NDArray, classes: Sequence[NDArray], labels: Labels, index: Any = None) -> Any:
    """Turn codes, (n_samples, n_targets), back into labels in the container they came in.

    Parameters
    ----------
    codes : ndarray of int64, shape (n_samples, n_targets)
        Place of every label among the classes.
    classes : sequence of ndarray
        The classes of every target.
    labels : Labels
        Labels that were read from the container to imitate.
    index : pandas.Index, optional
        The rows' names, where the container has such.

    Returns
    -------
    ndarray, sparse array or data frame
        Labels of shape (n_samples, n_targets).
    """
    values = [known[column] for known, column in zip(classes, codes.T, strict=True)]
    template = labels.template
    if labels.names is not None:
        series = [
            _series(template[name], column, known)
            for name, column, known in zip(labels.names, values, classes, strict=True)
        ]
        if not hasattr(template, "iloc"):  # polars
            return type(template)(dict(zip(labels.names, series, strict=True)))
        frame = type(template)(dict(enumerate(series)))
        frame.columns = template.columns
        if index is not None:
            frame.index = index
        return frame
    dtype = template.dtype
    if not all(np.array_equal(known.astype(dtype), known) for known in classes):
        dtype = np.result_type(dtype, *(known.dtype for known in classes))
    decoded = np.empty(codes.shape, dtype)
    for target, column in enumerate(values):
        decoded[:, target] = column
    return type(template)(decoded) if sparse.issparse(template) else decoded


def _series(template: Any, values: NDArray, classes: NDArray) -> Any:
    """Make a data frame's column, of its template's type if that holds all classes."""
    kind = type(template)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fits = kind(classes.tolist(), dtype=template.dtype).to_list() == classes.tolist()
    except Exception:  # every library has errors of its own for what does not fit
        fits = False
    return kind(values.tolist(), dtype=template.dtype) if fits else kind(values.tolist())
