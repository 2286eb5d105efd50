"""The columns of a table, in whatever container it comes: as numbers, or as values to tell apart.

Data frames are those of pandas and polars, neither of which is imported for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from sk_crl._labels import is_frame, is_missing_value

# How pandas, Arrow and polars name the types of columns that hold categories ...
CATEGORIES = re.compile(
    r"(category|categorical|enum|dictionary|object|str(ing)?|large_string|bool(ean)?)\b",
    re.IGNORECASE,
)
# ... and of those that NumPy would turn into numbers although they are none.
NO_NUMBERS = re.compile(r"complex|date|time|duration|period|struct|list|array", re.IGNORECASE)


class Levels(NamedTuple):
    """The values of a column, each once, and which of them stands in every row.

    Attributes
    ----------
    labels : list
        The different values; any that is missing may stand there more than once.
    codes : ndarray of int, shape (n_samples,)
        The place of every row's value among them; -1 is the last.
    """

    labels: list
    codes: NDArray[np.integer]


@dataclass(frozen=True)
class Table:
    """Columns by their place.

    Parameters
    ----------
    data : ndarray of shape (n_samples, n_columns) or data frame
        What holds them; it is never changed.
    names : list or None
        The columns' names, where a data frame gives them.
    """

    data: Any
    names: list[Hashable] | None

    def __len__(self) -> int:
        return len(self.data)

    @property
    def n_columns(self) -> int:
        """The number of columns."""
        return self.data.shape[1]

    def check_rows(self) -> None:
        """Raise ValueError where there is no row."""
        if not len(self):
            raise ValueError(
                f"Found array with 0 sample(s) (shape={self.data.shape}) while a minimum of 1 is "
                "required."
            )

    def title(self, place: int) -> str:
        """Say what messages call a column."""
        return f"column {place}" if self.names is None else f"column {self.names[place]!r}"

    def rows(self, start: int, stop: int) -> Table:
        """Take consecutive rows, without a copy."""
        rows = slice(start, stop)
        by_place = self.data.iloc if hasattr(self.data, "iloc") else self.data
        return Table(by_place[rows], self.names)

    def column(self, place: int) -> Any:
        """Take a column, as it is."""
        if self.names is None:
            return self.data[:, place]
        is_pandas = hasattr(self.data, "iloc")
        return self.data.iloc[:, place] if is_pandas else self.data.to_series(place)

    def levels(self, place: int) -> Levels:
        """Tell the values of a column apart."""
        column = self.column(place)
        try:
            if hasattr(column, "factorize"):  # of pandas
                codes, labels = column.factorize()
                return Levels([*labels.tolist(), None], codes)
            if self.names is None and column.dtype != object:
                labels, codes = np.unique(column, return_inverse=True)
                return Levels(labels.tolist(), codes)
            values = column.tolist() if self.names is None else column.to_list()
            labels = list(dict.fromkeys(values))
        except TypeError as error:  # what has no hash
            raise TypeError(
                f"{self.title(place)} of X holds no single values: {error}; as a category, each "
                "argument must be a string or a number."
            ) from error
        places = dict(zip(labels, range(len(labels)), strict=True))
        codes = np.fromiter(map(places.__getitem__, values), np.int64, len(values))
        return Levels(labels, codes)

    def holds_categories(self, place: int) -> bool:
        """Whether the type of a column, in a data frame, is one of categories.

        Objects are categories unless they are numbers, and nothing else.
        """
        dtype = str(self.column(place).dtype)
        if self.names is None or not CATEGORIES.match(dtype):
            return False
        if dtype.lower() != "object":
            return True
        labels = [label for label in self.levels(place).labels if not is_missing_value(label)]
        return not labels or not all(
            isinstance(label, Number) and not isinstance(label, bool | complex) for label in labels
        )

    def holds_numbers(self, place: int) -> bool:
        """Whether a column can be read as numbers, some of which may be missing."""
        try:
            self._as_numbers(place)
        except (TypeError, ValueError):
            return False
        return True

    def has_missing(self, place: int) -> bool:
        """Whether a number of a column is missing."""
        return bool(np.isnan(self._as_numbers(place)).any())

    def numbers(self, places: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float64]:
        """Read columns as numbers, in an array of their own; NaN where one is missing.

        Parameters
        ----------
        places : array-like of int, shape (n_places,)
            Which columns.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_places)

        Raises
        ------
        TypeError, ValueError
            For columns of anything else, and for infinity; the message names the column.
        """
        with np.errstate(over="ignore"):  # what float64 cannot hold is found below
            if self.names is None and self.data.dtype.kind in "biuf":
                block = self.data[:, places].astype(np.float64, copy=False)
            else:
                block = np.empty((len(self), len(places)))
                for target, place in enumerate(places):
                    block[:, target] = self._as_numbers(place)
        is_infinite = np.isinf(block).any(axis=0)
        if is_infinite.any():
            place = places[is_infinite.argmax()]
            raise ValueError(
                "Input X contains infinity or a value too large for dtype('float64'): "
                f"{self.title(place)}."
            )
        return block

    def _as_numbers(self, place: int) -> NDArray[np.float64]:
        """Read a single column as numbers."""
        column = self.column(place)
        dtype = str(column.dtype)
        advice = (
            f"{self.title(place)} of X, of type {dtype}, must hold numbers; make numbers of it, "
            "or name it in categorical_features if these are categories."
        )
        if NO_NUMBERS.match(dtype):
            is_complex = dtype.startswith("complex")
            raise (ValueError if is_complex else TypeError)(
                f"Complex data not supported: {advice}" if is_complex else advice
            )
        try:
            if hasattr(column, "iloc"):
                return column.to_numpy(dtype=np.float64, na_value=np.nan)
            values = np.asarray(column)
            with suppress(TypeError):  # of objects that are missing it knows None and NaN alone
                return values.astype(np.float64)
            return np.array([np.nan if is_missing_value(v) else float(v) for v in values])
        except (TypeError, ValueError, OverflowError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{error}: {advice}") from error


def is_table(X: Any) -> bool:
    """Whether samples are the rows of a table, rather than images or a data set.

    Parameters
    ----------
    X : object
        What an estimator was given.

    Returns
    -------
    bool
        True for a data frame with rows and for what is an array of two dimensions, or becomes one,
        as lists of lists do. A `numpy.memmap` is no exception: joblib makes one of every large
        array that it hands to a process. False for sparse arrays, which no network takes.

    Raises
    ------
    ValueError
        For a lazy data frame.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_crl._table_columns import is_table
    >>> is_table(np.zeros((3, 2))), is_table([[1, "red"], [2, None]])
    (True, True)
    >>> is_table(np.zeros((3, 2, 8, 8)))
    False
    """
    if is_frame(X, "X"):
        return True
    if sparse.issparse(X):
        return False
    if hasattr(X, "ndim"):
        return X.ndim == 2
    # A data set has a length and an index, too: NumPy would read all of it.
    if not (isinstance(X, list | tuple) or hasattr(X, "__array__")):
        return False
    try:
        return np.asarray(X).ndim == 2
    except ValueError:  # rows of different lengths
        return False


def checked_names(X: Any, name: str = "X") -> list[Hashable] | None:
    """List the names of a data frame's columns, of which no two may be the same.

    Parameters
    ----------
    X : object
        What an estimator was given.
    name : str, default="X"
        What messages call it.

    Returns
    -------
    list or None
        None for what is no data frame.

    Raises
    ------
    ValueError
        For a lazy data frame, and where columns share a name.
    """
    if not is_frame(X, name):
        return None
    names = list(X.columns)
    shared = [column for column, count in Counter(names).items() if count > 1]
    if shared:
        raise ValueError(
            f"{name} must have a name of its own for every column; got more than one column "
            f"{', '.join(map(repr, shared))}. Rename or drop the others."
        )
    return names


def read_table(X: ArrayLike) -> Table:
    """Read a table.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_columns) or data frame
        Samples of one or more columns.

    Returns
    -------
    Table

    Raises
    ------
    TypeError
        For sparse arrays.
    ValueError
        For what has no two dimensions or no column, complex numbers, a lazy data frame, and columns
        that share a name.
    """
    names = checked_names(X)
    if sparse.issparse(X):
        raise TypeError(
            "Sparse data was passed, but dense data is required. Use '.toarray()' to convert to a "
            "dense numpy array."
        )
    elif isinstance(X, np.ma.MaskedArray):
        X = np.where(np.ma.getmaskarray(X), None, X.data)
    elif names is None:
        array = np.asarray(X)
        # Beside strings in a list NumPy would make strings of numbers and None.
        as_objects = isinstance(X, list | tuple) and array.dtype.kind == "U"
        X = np.asarray(X, dtype=object) if as_objects else array
    if len(X.shape) != 2:
        advice = (
            "Reshape your data: X.reshape(-1, 1) if it has a single column, X.reshape(1, -1) if it "
            "is a single sample."
            if X.ndim < 2
            else "For images, name a network that takes them in module, such as module='resnet32'; "
            "to make a column of every number of a sample, reshape: X.reshape(len(X), -1)."
        )
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead, of shape {X.shape}. {advice}"
        )
    if not X.shape[1]:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required."
        )
    if names is None and X.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: column 0 of X, as all others, is of type {X.dtype}."
        )
    return Table(X, names)
