"""The data sets to compare on, and how they are split."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length

from sk_crl._checks import check_integer
from sk_crl._labels import Labels, read_labels, short
from sk_crl.evaluation._methods import check_names
from sk_crl.evaluation._pandas import import_pandas
from sk_crl.model_selection import MultiOutputStratifiedKFold

# Splitters warn of classes that are too rare; the error that follows says it better.
TOO_RARE = "The least populated class in y has|Classes with fewer samples than n_splits"
SINGLE = "data"  # what a data set without a name is called


@dataclass(frozen=True)
class Split:
    """One split of a data set.

    Attributes
    ----------
    train, test : ndarray of int
        Rows of the two parts.
    n_classes : int
        Number of classes that the training part holds, of all targets together.
    imbalance_ratio : float
        Samples of the largest class of the training part for one of the smallest; of several
        targets the largest such ratio.
    """

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    n_classes: int
    imbalance_ratio: float


@dataclass
class DataSet:
    """A data set by name, in memory or not.

    Attributes
    ----------
    name : str
        What it is called.
    source : tuple (X, y) or callable
        The data, or what returns them.
    splits : list of Split
        Once they are made.
    classes : list of ndarray
        The classes of every target, once the splits are made.
    """

    name: str
    source: Any
    splits: list[Split] = field(default_factory=list)
    classes: list[NDArray] = field(default_factory=list)

    def load(self) -> tuple[Any, Any]:
        """Get samples and labels."""
        pair = self.source() if callable(self.source) else self.source
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise TypeError(
                f"Data set {self.name!r} must be a pair (X, y), or a function without arguments "
                f"that returns one; got a {type(pair).__name__}."
            )
        X, y = pair
        pandas = import_pandas()
        # scikit-learn's metrics index labels in ways that arrays of pandas do not take.
        return X, pandas.Series(y) if isinstance(y, pandas.api.extensions.ExtensionArray) else y

    def split(self, X: Any, y: Any, cv: Any, allow_missing_classes: bool) -> None:
        """Make the splits, and check that every part holds every class.

        Raises
        ------
        ValueError
            If the data cannot be split so.
        """
        try:
            check_consistent_length(X, y)
            labels = read_labels(y)
            classes = labels.classes()
            with warnings.catch_warnings():
                if not allow_missing_classes:
                    warnings.filterwarnings("ignore", TOO_RARE, UserWarning)
                pairs = list(_splitter(cv, labels, y).split(X, y))
        except ValueError as error:
            raise ValueError(
                f"Data set {self.name!r} cannot be split by cv={cv}: {error}"
            ) from error
        if not pairs:
            raise ValueError(f"cv={cv} makes no split of data set {self.name!r}.")
        codes = labels.codes(classes)
        if not allow_missing_classes:
            self._check_parts(labels, classes, codes, pairs)
        self.classes = classes
        self.splits = [
            Split(np.asarray(train), np.asarray(test), *_imbalance(codes[train]))
            for train, test in pairs
        ]

    def _check_parts(
        self, labels: Labels, classes: list[NDArray], codes: NDArray, pairs: list
    ) -> None:
        """Raise ValueError if a part lacks a class."""
        for split, pair in enumerate(pairs):
            for part, rows in zip(("training", "test"), pair, strict=True):
                columns = zip(labels, classes, codes.T, strict=True)
                for target, (column, known, code) in enumerate(columns):
                    lacking = np.setdiff1d(np.arange(len(known)), code[rows])
                    if not len(lacking):
                        continue
                    of = "" if labels.template is None else f" of {column.title}"
                    sizes = np.bincount(codes[:, target][codes[:, target] >= 0])[lacking]
                    raise ValueError(
                        f"Data set {self.name!r} cannot be stratified by these splits: the {part} "
                        f"part of split {split} lacks the classes {short(known[lacking])}{of}, "
                        f"which have {short(sizes)} samples. Merge rare classes, leave their rows "
                        "out, make fewer splits, or use "
                        "sk_crl.model_selection.MultiOutputStratifiedShuffleSplit, which needs two "
                        "samples of a class; or pass allow_missing_classes=True."
                    )


def read_data(data: Any) -> list[DataSet]:
    """Check named data sets; they are not loaded yet.

    Raises
    ------
    ValueError
        If there are none.
    TypeError
        For names that are no strings, and for what is neither a pair nor a function.
    """
    if not isinstance(data, Mapping):
        data = {SINGLE: data}
    check_names("data set", data)
    sets = [DataSet(name, source) for name, source in data.items()]
    for one in sets:
        if not callable(one.source):
            one.load()
    return sets


def read_cv(cv: Any) -> Any:
    """Check a number of folds; make a splitter of anything else, once for all data sets."""
    if isinstance(cv, Integral):
        check_integer("cv", cv, 2)
        return cv
    try:
        return check_cv(cv)
    except ValueError:
        raise ValueError(
            "cv must be a number of folds, a splitter such as StratifiedKFold(5), or an iterable "
            f"of (train, test); got {cv!r}."
        ) from None


def _splitter(cv: Any, labels: Labels, y: Any) -> Any:
    """Make a splitter of a number of folds, which suits the labels."""
    if not isinstance(cv, Integral):
        return cv
    is_plain = labels.template is None and not labels.columns[0].is_missing.any()
    return check_cv(cv, y, classifier=True) if is_plain else MultiOutputStratifiedKFold(cv)


def _imbalance(codes: NDArray[np.int64]) -> tuple[int, float]:
    """Count the classes of all targets, and find the largest ratio of class sizes."""
    counts = [np.unique(code[code >= 0], return_counts=True)[1] for code in codes.T]
    ratios = [count.max() / count.min() for count in counts if len(count)]
    return sum(map(len, counts)), float(max(ratios, default=np.nan))
