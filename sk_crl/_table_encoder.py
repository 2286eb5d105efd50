"""From the columns of a table to what a network for tables is given."""

from __future__ import annotations

import warnings
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_crl._categorical_columns import find_categorical
from sk_crl._checks import check_integer, plain
from sk_crl._labels import is_missing_value
from sk_crl._table_columns import Levels, Table, read_table

CLIP = 3.0  # what no scaled value exceeds
FAR = 1e9  # at which float64 cannot tell a clipped value from the bound; its square is finite
FEW = 10  # fewer values may well be rare or unknown categories alone
MANY = 20  # fewer numbers may well be names of categories
ROWS_AT_ONCE = 2**14  # so that float64 copies stay small beside the table


class TableEncoder:
    """Scale the numbers of a table, and encode its categories, by what its training rows hold.

    A numeric column is made robust to outliers as in RealMLP [1]_: its median m is subtracted, it
    is divided by the distance q of its quartiles, and clipped smoothly,

    .. math:: z = (x - m) / q, \\qquad x' = z / \\sqrt{1 + (z / 3)^2}.

    Where q is 0, as in columns with few values that differ, half the distance from least to
    greatest takes its place; where that is 0, too, the column says nothing and becomes 0. No affine
    change of a column makes a difference, but for a sign. Values that are missing are put at the
    median, 0; where some training rows have a value and others none, a column of its own says
    which.

    A categorical column becomes codes: 1, 2, ... for the categories of the training rows, in
    order, and 0 for all that is missing or unknown. Categories of fewer than `min_frequency`
    training rows share code 0, as their few rows teach little of them, but how to take what is
    unknown. Of a column that has more categories than `max_categories` leaves room for, the most
    frequent keep a code, the first in order among equally frequent ones. A column of identifiers,
    each in a row of its own, is thus code 0 throughout.

    Parameters
    ----------
    categorical_features : "from_dtype", array-like of {bool, int, str} or None, \
            default="from_dtype"
        Which columns hold categories: a mask, places, or names. ``"from_dtype"`` takes those
        columns of data frames whose type is one of categories, strings or booleans, or that hold
        objects among which are others than numbers; arrays have none. None stands for no column.
    min_frequency : int, default=2
        The least number of training rows that gives a category a code of its own.
    max_categories : int, default=1000
        The greatest number of codes of a column, code 0 among them.

    Attributes
    ----------
    n_features_in_ : int
        The number of columns of the table.
    n_scaled_ : int
        The number of scaled columns, which come first in the result.
    n_numeric_ : int
        The number of scaled columns and, after them, columns that say what is missing.
    cardinalities_ : tuple of int
        The number of codes, code 0 among them, of each column of codes; these come last.
    source_columns_ : ndarray of int64, shape (n_columns,)
        The place, in the table, of what each column of the result was made of.
    centers_, widths_ : ndarray of float64, shape (n_scaled_,)
        Half of m and half of q for every scaled column, as q itself may be too large for a number;
        of columns that say nothing, 0 and infinity.
    categories_ : list of dict
        The code of every category, for each column of codes.

    References
    ----------
    .. [1] D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by Default: Strong Pre-Tuned MLPs
       and Boosted Trees on Tabular Data", NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_crl._table_encoder import TableEncoder
    >>> X = np.array([[1, "red"], [2, "blue"], [None, "red"], [3, "blue"], [9, "grey"]], object)
    >>> encoder = TableEncoder(categorical_features=[1]).fit(X)
    >>> encoder.n_numeric_, encoder.cardinalities_
    (2, (3,))
    >>> encoder.source_columns_
    array([0, 0, 1])
    >>> encoder.transform(np.array([[2.5, "blue"], [None, "red"], [1e300, "green"]], object))
    array([[0., 0., 1.],
           [0., 1., 2.],
           [3., 0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        categorical_features: ArrayLike | str | None = "from_dtype",
        *,
        min_frequency: int = 2,
        max_categories: int = 1000,
    ) -> None:
        self.categorical_features = categorical_features
        self.min_frequency = min_frequency
        self.max_categories = max_categories

    def fit(self, X: ArrayLike) -> TableEncoder:
        """Learn medians, widths and categories.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or data frame
            The training rows; every row counts once.

        Returns
        -------
        TableEncoder
            This encoder; where an error is raised it stays as it was.

        Raises
        ------
        TypeError, ValueError
            For what is no table, for columns that hold neither numbers nor categories, and for
            infinity; the message names the column.

        Warns
        -----
        UserWarning
            Of categorical columns where most values stand in a single row, and have no code, and of
            text, found to be categories by its type, most of which are different numbers.
        """
        check_integer("min_frequency", self.min_frequency, 1)
        check_integer("max_categories", self.max_categories, 1)
        table = read_table(X)
        table.check_rows()
        is_categorical = find_categorical(table, self.categorical_features)
        scaled, coded = np.flatnonzero(~is_categorical), np.flatnonzero(is_categorical)
        learned = [_learn_scale(table.numbers([place])[:, 0]) for place in scaled]
        centers, widths, has_gaps = np.array(learned, dtype=np.float64).reshape(-1, 3).T
        by_type = isinstance(self.categorical_features, str)  # the user has named none
        categories, lost, numbers = [], [], []
        for place in coded:
            rows = _count(table, place)
            categories.append(self._learn_codes(table, place, rows))
            if by_type and _are_numbers_as_text(rows):
                numbers.append(table.title(place))
            elif _are_mostly_lost(rows, categories[-1]):
                lost.append(table.title(place))
        if numbers:
            warnings.warn(
                f"The values of {', '.join(numbers)} of X are numbers kept as text, and count as "
                "categories without an order. Make numbers of them or, if they are categories, "
                "name them in categorical_features.",
                UserWarning,
                stacklevel=2,
            )
        if lost:
            warnings.warn(
                f"Most values of {', '.join(lost)} of X stand in one training row alone, and count "
                "as unknown. Drop columns of identifiers, and merge categories that are rare.",
                UserWarning,
                stacklevel=2,
            )

        self.n_features_in_ = table.n_columns
        self.centers_, self.widths_ = centers, widths
        self._has_gaps = has_gaps.astype(bool)
        self.categories_ = categories
        self.source_columns_ = np.concatenate([scaled, scaled[self._has_gaps], coded])
        self.n_scaled_ = len(scaled)
        self.n_numeric_ = len(self.source_columns_) - len(coded)
        self.cardinalities_ = tuple(len(codes) + 1 for codes in categories)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Encode rows, each by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or data frame
            Rows of the columns of `fit`, in their order; of other types, too, where the values
            are of the same kind.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_columns)
            Scaled columns, columns that are 1 where a value is missing and 0 elsewhere, and codes.

        Raises
        ------
        TypeError, ValueError
            As in `fit`, and for another number of columns.

        Warns
        -----
        UserWarning
            Of columns with ten values or more, none of which is a known category.
        """
        table = read_table(X)
        if table.n_columns != self.n_features_in_:
            raise ValueError(
                f"X has {table.n_columns} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        encoded = np.empty((len(table), len(self.source_columns_)), dtype=np.float32)
        scaled = self.source_columns_[: self.n_scaled_]
        coded = self.source_columns_[self.n_numeric_ :]
        for start in range(0, len(table), ROWS_AT_ONCE):
            rows = table.rows(start, start + ROWS_AT_ONCE)
            target = encoded[start : start + ROWS_AT_ONCE]
            values = rows.numbers(scaled)
            is_missing = np.isnan(values)
            target[:, self.n_scaled_ : self.n_numeric_] = is_missing[:, self._has_gaps]
            _scale(values, self.centers_, self.widths_)
            np.copyto(values, 0, where=is_missing)
            target[:, : self.n_scaled_] = values
            for column, (place, codes) in enumerate(zip(coded, self.categories_, strict=True)):
                target[:, self.n_numeric_ + column] = _encode(rows.levels(place), codes)
        self._warn_of_unknown_categories(table, encoded[:, self.n_numeric_ :])
        return encoded

    def _warn_of_unknown_categories(self, table: Table, codes: NDArray[np.float32]) -> None:
        """Warn of columns whose values have all never been seen: they are of another kind."""
        is_empty = ~codes.any(axis=0)
        for column in np.flatnonzero(is_empty) if len(table) >= FEW else []:
            known, place = self.categories_[column], self.source_columns_[self.n_numeric_ + column]
            levels = table.levels(place)
            got = [levels.labels[code] for code in levels.codes]
            got = [label for label in got if not is_missing_value(label)]
            if known and len(got) >= FEW:
                warnings.warn(
                    f"No value of {table.title(place)} of X is a category that the training rows "
                    f"have: got, for instance, {plain(got[0])}; known is, for instance, "
                    f"{plain(next(iter(known)))}. Bring the column into the form it had there, or "
                    "fit without it if it holds identifiers.",
                    UserWarning,
                    stacklevel=2,
                )

    def _learn_codes(self, table: Table, place: int, rows: dict[Any, int]) -> dict[Any, int]:
        """Give the categories of a column their codes, by how many rows have each."""
        frequent = [label for label, count in rows.items() if count >= self.min_frequency]
        try:
            frequent.sort(key=_rank)
        except TypeError as error:
            raise TypeError(
                f"{table.title(place)} of X holds categories without an order: {error}; as a "
                "category, each argument must be a string or a number."
            ) from error
        kept = sorted(frequent, key=rows.__getitem__, reverse=True)[: self.max_categories - 1]
        return {label: code for code, label in enumerate(sorted(kept, key=_rank), start=1)}


def _count(table: Table, place: int) -> dict[Any, int]:
    """Count the rows of every value of a column, but for those that are missing."""
    labels, codes = table.levels(place)
    counts = np.bincount(codes % len(labels), minlength=len(labels)).tolist()
    pairs = zip(labels, counts, strict=True)
    return {label: count for label, count in pairs if not is_missing_value(label)}


def _are_numbers_as_text(rows: dict[Any, int]) -> bool:
    """Whether most rows have text that reads as a number, and there are many such numbers."""
    numbers = [label for label in rows if isinstance(label, str) and _reads_as_number(label)]
    n_rows = sum(rows[label] for label in numbers)
    return len(numbers) >= MANY and 2 * n_rows > sum(rows.values())


def _reads_as_number(text: str) -> bool:
    """Whether text is a number, thousands perhaps set apart by commas."""
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True


def _are_mostly_lost(rows: dict[Any, int], codes: dict[Any, int]) -> bool:
    """Whether most rows have a value of their own that has no code."""
    n_lost = sum(count == 1 and label not in codes for label, count in rows.items())
    return n_lost >= FEW and 2 * n_lost > sum(rows.values())


def _learn_scale(column: NDArray[np.float64]) -> tuple[float, float, bool]:
    """Find half the median and half the width of a column, and whether some values are missing."""
    is_missing = np.isnan(column)
    halves = column[~is_missing] / 2  # of which no difference is too large for a number
    if not len(halves):
        return 0.0, np.inf, False
    low, center, high = np.quantile(halves, [0.25, 0.5, 0.75])
    width = high - low or (halves.max() - halves.min()) / 2
    return (center, width, is_missing.any()) if width else (0.0, np.inf, is_missing.any())


def _scale(values: NDArray[np.float64], centers: NDArray, widths: NDArray) -> None:
    """Scale and clip in place; infinite widths make 0 of all."""
    values /= 2
    values -= centers
    with np.errstate(over="ignore"):  # what is too far for a number is far enough
        values /= widths
    np.clip(values, -FAR, FAR, out=values)
    values /= np.sqrt(1 + np.square(values / CLIP))


def _rank(category: Any) -> tuple[str, Any]:
    """Put categories of all types in an order: numbers, then those of every further type."""
    if isinstance(category, str):
        return "str", category
    return ("" if isinstance(category, Number) else type(category).__name__), category


def _encode(levels: Levels, codes: dict[Any, int]) -> NDArray[np.float32]:
    """Look up the codes of a column's values, 0 where they have none."""
    known = np.array([codes.get(label, 0) for label in levels.labels], dtype=np.float32)
    return known[levels.codes]
