"""Which columns of a table hold categories, by what a user says of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_crl._checks import plain
from sk_crl._table_columns import Table


def find_categorical(table: Table, categorical_features: ArrayLike | str | None) -> NDArray:
    """Find the columns that hold categories.

    Parameters
    ----------
    table : Table
        The table.
    categorical_features : "from_dtype", array-like of {bool, int, str} or None
        As a user says it, in the manner of `sklearn.ensemble.HistGradientBoostingClassifier`.

    Returns
    -------
    ndarray of bool, shape (n_columns,)

    Raises
    ------
    ValueError
        For what does not say which columns these are.
    """
    places = range(table.n_columns)
    is_categorical = np.zeros(table.n_columns, dtype=bool)
    if categorical_features is None:
        return is_categorical
    if isinstance(categorical_features, str) and categorical_features == "from_dtype":
        return np.array([table.holds_categories(place) for place in places])
    given = np.asarray(categorical_features)
    kind = given.dtype.kind
    if kind == "O" and all(isinstance(name, str) for name in given.flat):
        kind = "U"
    if given.ndim != 1 or (kind not in "biuU" and given.size):
        raise ValueError(
            "categorical_features must be 'from_dtype', None, or array-like of bool, int or str, "
            f"of one dimension; got {plain(categorical_features)}."
        )
    if kind == "b":
        if given.shape != is_categorical.shape:
            raise ValueError(
                "categorical_features set as a boolean mask must have shape "
                f"({table.n_columns},), one for every column of X; got {given.shape}."
            )
        return given.copy()
    if kind == "U":
        given = _find_names(table, given.tolist())
    strange = [int(place) for place in given if not 0 <= place < table.n_columns]
    if strange:
        raise ValueError(
            "categorical_features set as integer indices must be in [0, n_features - 1], here "
            f"[0, {table.n_columns - 1}]; got {strange}."
        )
    is_categorical[given.astype(np.int64)] = True
    return is_categorical


def _find_names(table: Table, wanted: Sequence[str]) -> NDArray[np.int64]:
    """Find columns by their names."""
    if table.names is None:
        raise ValueError(
            "categorical_features names columns, but X has no names; pass integers or a boolean "
            "mask, or a data frame as X."
        )
    unknown = [name for name in wanted if name not in table.names]
    if unknown:
        raise ValueError(
            f"categorical_features has {', '.join(map(repr, unknown))}, which X does not; its "
            f"columns are {table.names}."
        )
    return np.array([table.names.index(name) for name in wanted], dtype=np.int64)
