"""Splits for cross-validation that keep the classes of several targets at once in proportion."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, ShuffleSplit
from sklearn.utils import check_consistent_length

from sk_crl._checks import check_boolean, check_integer, draw_seed
from sk_crl._labels import MOST_SHOWN, Labels, read_labels
from sk_crl._stratification import fold_codes, split_codes

__all__ = ["MultiOutputStratifiedKFold", "MultiOutputStratifiedShuffleSplit"]


class _StratifiedSplitter(BaseCrossValidator):
    """What both splitters share: reading labels and yielding pairs of indices."""

    n_splits: int
    missing_label: Any

    def split(
        self, X: Any, y: Any, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Generate indices of training and test samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples; only their number matters.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Labels, in any container. NaN, None, NA and `missing_label` are missing.
        groups : object, default=None
            Ignored, with a warning.

        Returns
        -------
        iterator of (ndarray, ndarray)
            Sorted indices of the training and of the test samples, `n_splits` times.

        Raises
        ------
        ValueError
            If the labels are none, if their number is not that of the samples, or if there are too
            few of them for the splits asked.
        """
        if groups is not None:
            warnings.warn(
                f"The groups parameter is ignored by {type(self).__name__}",
                UserWarning,
                stacklevel=2,
            )
        labels = read_labels(y, self.missing_label)
        check_consistent_length(X, y)
        classes = labels.classes()
        if not any(map(len, classes)):
            raise ValueError(
                f"y must hold labels to stratify by; got {len(labels)} samples whose labels "
                "are all missing."
            )
        return self._splits(labels, classes)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.
        groups : object, default=None
            Ignored.

        Returns
        -------
        int
            The number of splits.
        """
        return self.n_splits

    @abstractmethod
    def _splits(
        self, labels: Labels, classes: list[NDArray]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Check whether the labels can be split, and make an iterator of the splits."""


class MultiOutputStratifiedKFold(_StratifiedSplitter):
    """K-fold cross-validation that spreads the classes of all targets evenly over the folds.

    For one target or several, of two classes or more each, with or without missing labels: a
    missing label takes no part, the others of its sample do. Folds differ in size by at most one
    sample, and for a single target without missing labels in the number of every class by at most
    one, as those of scikit-learn's StratifiedKFold do. Several targets cannot always be served
    perfectly at once; the rarer a class, the more evenly it is spread.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether chance has a say in which samples of the same labels share a fold.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of the shuffle; an integer makes every call of `split` give the same folds. None draws
        a fresh seed, never from NumPy's global generator.
    missing_label : number or str, default=None
        A label that stands for a missing one, besides NaN, None and NA.

    Raises
    ------
    ValueError
        If `n_splits` is no integer of at least 2, `shuffle` is neither True nor False, or
        `random_state` is set without `shuffle`.

    Warns
    -----
    UserWarning
        On a split, if classes have fewer samples than there are folds.

    See Also
    --------
    MultiOutputStratifiedShuffleSplit : Random splits of any size.

    References
    ----------
    K. Sechidis, G. Tsoumakas and I. Vlahavas, On the stratification of multi-label data, ECML PKDD
    2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_crl.model_selection import MultiOutputStratifiedKFold
    >>> X = np.zeros((6, 1))
    >>> Y = [["cat", 0], ["cat", 1], ["cat", None], ["dog", 0], ["dog", 1], ["cat", 0]]
    >>> cv = MultiOutputStratifiedKFold(2, shuffle=True, random_state=0)
    >>> for train, test in cv.split(X, Y):
    ...     print([Y[i] for i in test])
    [['cat', 0], ['cat', 1], ['dog', 0]]
    [['cat', None], ['dog', 1], ['cat', 0]]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: Any = None,
        missing_label: Any = None,
    ) -> None:
        check_integer("n_splits", n_splits, 2)
        check_boolean("shuffle", shuffle)
        if not shuffle and random_state is not None:
            raise ValueError(
                f"random_state={random_state!r} has no effect without shuffle; leave it at None or "
                "set shuffle=True."
            )
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state
        self.missing_label = missing_label

    def _splits(
        self, labels: Labels, classes: list[NDArray]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Check whether there are enough samples, and deal them out to folds."""
        if self.n_splits > len(labels):
            raise ValueError(
                f"n_splits={self.n_splits} must not be greater than the number of samples; got "
                f"{len(labels)} samples."
            )
        codes = labels.codes(classes)
        self._warn_of_rare_classes(codes, classes, [column.title for column in labels])
        rng = np.random.default_rng(draw_seed(self.random_state)) if self.shuffle else None
        folds = fold_codes(codes, self.n_splits, rng)
        return (
            (np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))
            for fold in range(self.n_splits)
        )

    def _warn_of_rare_classes(
        self, codes: NDArray, classes: list[NDArray], titles: list[str]
    ) -> None:
        """Warn, once, of all classes that have fewer samples than there are folds."""
        rare = []
        for title, names, column in zip(titles, classes, codes.T, strict=True):
            counts = np.bincount(column[column >= 0], minlength=len(names))
            for name, count in zip(names.tolist(), counts.tolist(), strict=True):
                if count < self.n_splits:
                    rare.append(f"{name!r} of {title} ({count})")
        if rare:
            more = f", ... {len(rare)} in all" if len(rare) > MOST_SHOWN else ""
            warnings.warn(
                f"Classes with fewer samples than n_splits={self.n_splits} are missing from some "
                "test folds, and one with a single sample from the training part of its fold: "
                f"{', '.join(rare[:MOST_SHOWN])}{more}.",
                UserWarning,
                stacklevel=4,
            )


class MultiOutputStratifiedShuffleSplit(_StratifiedSplitter):
    """Random splits that hold the classes of all targets in proportion.

    For one target or several, of two classes or more each, with or without missing labels: a
    missing label takes no part, the others of its sample do. The parts have exactly the sizes
    asked. The training part holds every class that has a sample, wherever it has as many samples as
    there are classes in all; the test part holds every class of two samples or more, wherever its
    size and the other labels of these samples allow.

    Parameters
    ----------
    n_splits : int, default=10
        Number of splits.
    test_size : float or int, default=None
        Share, or number, of the test samples. None is what `train_size` leaves, or 0.1.
    train_size : float or int, default=None
        Share, or number, of the training samples. None is what the test samples leave.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of the splits; an integer makes every call of `split` give the same ones. None draws a
        fresh seed, never from NumPy's global generator.
    missing_label : number or str, default=None
        A label that stands for a missing one, besides NaN, None and NA.

    Raises
    ------
    ValueError
        If `n_splits` is no integer of at least 1; on a split, if the sizes do not fit the data.

    See Also
    --------
    MultiOutputStratifiedKFold : Splits whose test parts share no sample.

    References
    ----------
    K. Sechidis, G. Tsoumakas and I. Vlahavas, On the stratification of multi-label data, ECML PKDD
    2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_crl.model_selection import MultiOutputStratifiedShuffleSplit
    >>> X = np.zeros((6, 1))
    >>> Y = [["cat", 0], ["cat", 1], ["cat", None], ["dog", 0], ["dog", 1], ["cat", 0]]
    >>> cv = MultiOutputStratifiedShuffleSplit(2, test_size=2, random_state=0)
    >>> for train, test in cv.split(X, Y):
    ...     print([Y[i] for i in test])
    [['cat', 0], ['dog', 1]]
    [['dog', 1], ['cat', 0]]
    """

    def __init__(
        self,
        n_splits: int = 10,
        *,
        test_size: float | None = None,
        train_size: float | None = None,
        random_state: Any = None,
        missing_label: Any = None,
    ) -> None:
        check_integer("n_splits", n_splits, 1)
        self.n_splits = n_splits
        self.test_size = test_size
        self.train_size = train_size
        self.random_state = random_state
        self.missing_label = missing_label

    def _splits(
        self, labels: Labels, classes: list[NDArray]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Check the sizes, and split."""
        # scikit-learn knows what sizes mean; its own split serves for their numbers alone.
        sizes = ShuffleSplit(
            1, test_size=self.test_size, train_size=self.train_size, random_state=0
        )
        train, test = next(sizes.split(np.empty(len(labels))))
        codes = labels.codes(classes)
        rng = np.random.default_rng(draw_seed(self.random_state))
        return (split_codes(codes, len(test), rng, len(train)) for _ in range(self.n_splits))
