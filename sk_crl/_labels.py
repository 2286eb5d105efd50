"""Labels in any container, of one target or several: to class codes and back."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import column_or_1d

MOST_SHOWN = 10  # labels in a message


class LabelColumn(NamedTuple):
    """The labels of one target.

    Attributes
    ----------
    title : str
        What messages call it: ``"target 3"``, ``"target 'colour'"`` or, of a single target, the
        labels' own name.
    values : ndarray of shape (n_samples,)
        The labels, of one type; anything where they are missing.
    is_missing : ndarray of bool, shape (n_samples,)
        Where they are missing.
    """

    title: str
    values: NDArray
    is_missing: NDArray[np.bool_]

    def classes(self) -> NDArray:
        """List the labels that occur, sorted; raise ValueError for what are no class labels."""
        known = self.values[~self.is_missing]
        if known.dtype.kind == "f":
            if not np.isfinite(known).all():
                raise ValueError(f"Input {self.title} contains infinity; labels must be finite.")
            if (known % 1 != 0).any():
                raise ValueError(
                    f"Unknown label type: {self.title} is continuous, with values such as "
                    f"{known[known % 1 != 0][0].item()!r}; expected classes."
                )
        elif known.dtype.kind not in "biuUO" or _is_no_text(known):
            raise ValueError(
                f"Unknown label type: {self.title} holds {_kind(known)}; expected strings, "
                "integers or booleans."
            )
        return np.unique(known)

    def codes(self, classes: NDArray, name: str = "y") -> NDArray[np.int64]:
        """Find every label's place among sorted classes, -1 where it is missing."""
        known = self.values[~self.is_missing]
        codes = np.full(len(self.values), -1)
        strange = known
        if len(classes) and is_text(known) == is_text(classes):
            found = np.searchsorted(classes, known).clip(max=len(classes) - 1)
            codes[~self.is_missing] = found
            strange = known[classes[found] != known]
        if len(strange):
            raise ValueError(
                f"{where(name, self.title)} holds labels that are not among the classes "
                f"{short(classes)}: {short(np.unique(strange))}."
            )
        return codes


@dataclass(frozen=True)
class Labels:
    """The labels of all targets, checked but not yet encoded.

    Parameters
    ----------
    columns : tuple of LabelColumn
        One for every target.
    names : tuple or None
        Names of the targets, where a data frame gives them.
    template : ndarray, sparse array, data frame or None
        The container they came in, without rows; None for a single target's labels.
    """

    columns: tuple[LabelColumn, ...]
    names: tuple[Hashable, ...] | None = None
    template: Any = None

    def __len__(self) -> int:
        return len(self.columns[0].values)

    def __iter__(self) -> Iterator[LabelColumn]:
        return iter(self.columns)

    def take(self, rows: NDArray) -> Labels:
        """Select samples by index or mask."""
        columns = tuple(LabelColumn(c.title, c.values[rows], c.is_missing[rows]) for c in self)
        return Labels(columns, self.names, self.template)

    def classes(self) -> list[NDArray]:
        """List the labels of every target."""
        return [column.classes() for column in self]

    def codes(self, classes: Sequence[NDArray], name: str = "y") -> NDArray[np.int64]:
        """Encode by sorted classes; (n_samples, n_targets), -1 where a label is missing."""
        pairs = zip(self, classes, strict=True)
        return np.column_stack([column.codes(labels, name) for column, labels in pairs])


def read_labels(Y: Any, missing_label: Any = None, name: str = "y") -> Labels:
    """Read the labels of one target, (n_samples,), or of several, (n_samples, n_targets).

    NaN, None, NaT and NA of data frames are missing labels, and so is `missing_label`.

    Parameters
    ----------
    Y : array-like, sparse array or data frame
        The labels. Each column of an object array or a data frame has a type of its own.
    missing_label : number or str, optional
        A further label that stands for none.
    name : str, default="y"
        What messages call `Y`.

    Returns
    -------
    Labels

    Raises
    ------
    ValueError
        For what are no labels; the message names the target.
    """
    if Y is None:
        raise ValueError("This requires y to be passed, but the target y is None.")
    if not (missing_label is None or isinstance(missing_label, Number | str)):
        raise ValueError(f"missing_label must be a number or a string; got {missing_label!r}.")
    if is_frame(Y, name):
        return _read_frame(Y, missing_label, name)
    if sparse.issparse(Y) and Y.ndim == 2:
        columns = [
            _read_column(f"target {i}", y, missing_label, name) for i, y in enumerate(Y.toarray().T)
        ]
        return Labels(tuple(columns), template=Y.tocsr()[:0])
    is_series = hasattr(Y, "to_list")
    is_array = hasattr(Y, "dtype")
    if isinstance(Y, np.ma.MaskedArray):
        Y = np.where(np.ma.getmaskarray(Y), None, Y.data)
    array = _as_array(Y) if is_series else np.asarray(Y, dtype=None if is_array else object)
    if array.ndim == 1 and not (array.dtype == object and any(map(_is_row, array))):
        return Labels((_read_column(name, array, missing_label, name),))
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(
            f"{name} must have shape (n_samples, n_targets), a row of labels for every sample, all "
            f"rows equally long; got {_shape(array) if array.ndim else f'a {type(Y).__name__}'}."
        )
    columns = [_read_column(f"target {i}", y, missing_label, name) for i, y in enumerate(array.T)]
    kinds = {column.values.dtype.kind for column in columns}
    dtype = array.dtype
    if not is_array and len(kinds) == 1:
        dtype = np.result_type(*(column.values.dtype for column in columns))
    return Labels(tuple(columns), template=np.empty((0, len(columns)), dtype))


def read_single_target(y: Any, name: str = "y", missing_label: Any = None) -> Labels:
    """Read the labels of one target, all of which must be there.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The labels.
    name : str, default="y"
        What messages call them.
    missing_label : number or str, optional
        A further label that stands for none.

    Returns
    -------
    Labels

    Raises
    ------
    ValueError
        For what are no labels, and for missing ones.
    """
    if y is None:
        raise ValueError("This requires y to be passed, but the target y is None.")
    if isinstance(y, list | tuple):
        _refuse_mixed([label for label in y if not is_missing_value(label, missing_label)], name)
    if isinstance(y, np.ma.MaskedArray):
        y = np.where(np.ma.getmaskarray(y), None, y.data)
    has_type = hasattr(y, "dtype") and not sparse.issparse(y)
    y = column_or_1d(_as_array(y) if has_type else y, warn=True)
    column = _read_column(name, y, missing_label, name)
    if column.is_missing.any():
        raise ValueError(
            f"{name} has no label at row {column.is_missing.argmax()}, and at "
            f"{column.is_missing.sum()} of its {len(y)} rows in all; leave these rows out"
            + (", or use MultiOutputCRLClassifier." if name.startswith("y") else ".")
        )
    return Labels((column,))


def is_text(labels: NDArray) -> bool:
    """Whether labels are strings; those kept as objects are."""
    return labels.dtype.kind in "OU"


def _is_no_text(labels: NDArray) -> bool:
    """Whether labels kept as objects are anything but strings."""
    return labels.dtype == object and len(labels) > 0 and not isinstance(labels[0], str)


def short(labels: NDArray) -> str:
    """Write labels for a message, the first few of many."""
    listed = labels.tolist()
    if len(listed) <= MOST_SHOWN:
        return str(listed)
    return f"[{', '.join(map(repr, listed[:MOST_SHOWN]))}, ... {len(listed)} in all]"


def _read_frame(Y: Any, missing_label: Any, name: str) -> Labels:
    """Read a data frame, of pandas or polars."""
    names = tuple(Y.columns)
    twice = sorted({str(column) for column in names if names.count(column) > 1})
    if twice or not names:
        got = f"more than one column {', '.join(map(repr, twice))}" if twice else "none"
        raise ValueError(f"{name} must have a column of its own for every target; got {got}.")
    columns = [
        _read_column(f"target {key!r}", _as_array(Y[key]), missing_label, name) for key in names
    ]
    return Labels(tuple(columns), names, Y.head(0))


def is_frame(container: Any, name: str) -> bool:
    """Whether this is a data frame, of pandas or polars; raise ValueError for one without rows."""
    kind = type(container)
    if not (hasattr(kind, "columns") and hasattr(kind, "head")):
        return False
    if hasattr(kind, "collect"):
        raise ValueError(f"{name} is a {kind.__name__}, without rows yet: call its collect().")
    return True


def _as_array(column: Any) -> NDArray:
    """Turn a data frame's column, or any array, into an array, with holes into one of objects."""
    array = np.asarray(column)
    # An array has no place for a missing integer, and makes floats of all of them.
    became_float = array.dtype.kind == "f" and "float" not in str(column.dtype).lower()
    return np.array(column.to_list(), dtype=object) if became_float else array


def _read_column(title: str, values: NDArray, missing_label: Any, name: str) -> LabelColumn:
    """Check one target's labels, and give those kept as objects the type that they share."""
    is_missing = _find_missing(values, missing_label)
    known = values[~is_missing]
    if values.dtype == object:
        _refuse_mixed(known, where(name, title))
        nested = [label for label in known if not np.isscalar(label)]
        if nested:
            raise ValueError(
                f"{where(name, title)} must hold a single label a row; got {nested[0]!r}."
            )
        if len(known) and isinstance(known[0], str):
            known = known.astype(str).astype(object)  # of np.str_ messages would show the type
        else:
            known = np.array(known.tolist())
    filled = np.zeros(len(values), known.dtype)
    filled[~is_missing] = known
    return LabelColumn(title, filled, is_missing)


def _refuse_mixed(labels: Iterable, where: str) -> None:
    """Raise ValueError for strings or booleans among other labels."""
    kinds = {(isinstance(label, str), isinstance(label, bool | np.bool_)) for label in labels}
    if len(kinds) > 1:
        mixed = "strings" if (True, False) in kinds else "booleans"
        raise ValueError(
            f"The labels of {where} mix {mixed} with other types; make all of them strings."
        )


def where(name: str, title: str) -> str:
    """Say where labels stand: in an array, or in one of its columns."""
    return f"{name}, {title}," if title.startswith("target ") else name


def _find_missing(values: NDArray, missing_label: Any) -> NDArray[np.bool_]:
    """Find missing labels."""
    is_missing = np.zeros(len(values), dtype=bool)
    if values.dtype == object:
        return np.array([is_missing_value(value, missing_label) for value in values], dtype=bool)
    if values.dtype.kind == "f":
        is_missing = np.isnan(values)
    if missing_label is not None and _family(missing_label) == _family(values):
        is_missing = is_missing | (values == missing_label)
    return is_missing


def _family(values: Any) -> str:
    """Say of what kind labels are: text, bool or number, which are never the same label."""
    return {"U": "text", "b": "bool"}.get(np.asarray(values).dtype.kind, "number")


def is_missing_value(value: Any, missing_label: Any = None) -> bool:
    """Whether an object stands for a missing label, as None, NaN, NaT and NA do."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Number) and value != value:
        return True
    return (
        np.isscalar(value)
        and bool(value == missing_label)
        and _family(value) == _family(missing_label)
    )


def _is_row(value: Any) -> bool:
    """Whether this is a row of labels rather than a label."""
    return isinstance(value, list | tuple | np.ndarray)


def _kind(labels: NDArray) -> str:
    """Say what kind of labels these are."""
    if labels.dtype == object:
        return f"values of type {type(labels[0]).__name__}"
    return {"S": "bytes", "c": "complex numbers"}.get(labels.dtype.kind, str(labels.dtype))


def _shape(array: NDArray) -> str:
    """Say what shape an array has, or how long its ragged rows are."""
    if array.ndim == 1 and array.dtype == object:
        lengths = [len(row) if _is_row(row) else 1 for row in array]
        return f"rows of {min(lengths)} to {max(lengths)} labels"
    return f"shape {array.shape}"
