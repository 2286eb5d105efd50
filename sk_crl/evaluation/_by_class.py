"""Frames with a row for every class, or for every target, of every fit."""

from __future__ import annotations

from typing import Any

from sk_crl.evaluation._pandas import import_pandas
from sk_crl.evaluation._scoring import SENSITIVITIES

FIT = ["dataset", "method", "split"]


def by_class(frame: Any) -> Any:
    """List the sensitivity to every class.

    Parameters
    ----------
    frame : pandas.DataFrame
        What ``compare(..., sensitivities=True)`` returns.

    Returns
    -------
    pandas.DataFrame
        A row for every class of every fit that did not fail, with the columns ``dataset``,
        ``method``, ``split``, ``target`` (None for a single one), ``class``, ``n_train`` and
        ``n_test`` (samples of the class in both parts) and ``sensitivity``, the share of those in
        the test part that are predicted right; NaN where there are none.

    Raises
    ------
    ValueError
        If the frame holds no sensitivities.

    See Also
    --------
    by_target : A row for every target.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sk_crl.evaluation import by_class, compare
    >>> methods, data = {"naive Bayes": GaussianNB()}, load_iris(return_X_y=True)
    >>> frame = compare(methods, data, cv=2, sensitivities=True, verbose=False)
    >>> by_class(frame).groupby("class")["sensitivity"].mean().round(2).to_dict()
    {0: 1.0, 1: 0.9, 2: 0.92}
    """
    pandas = import_pandas()
    if SENSITIVITIES not in getattr(frame, "columns", ()):
        raise ValueError(
            "The frame must hold the sensitivities of all classes: call compare with "
            "sensitivities=True."
        )
    fits = zip(*(frame[name] for name in [*FIT, SENSITIVITIES]), strict=True)
    rows = [
        {**dict(zip(FIT, fit, strict=True)), **one}
        for *fit, classes in fits
        for one in classes or ()
    ]
    columns = [*FIT, "target", "class", "n_train", "n_test", "sensitivity"]
    types = {"split": "int64", "n_train": "int64", "n_test": "int64", "sensitivity": "float64"}
    return pandas.DataFrame(rows, columns=columns, dtype=object).astype(types)


def by_target(frame: Any) -> Any:
    """Score every target by itself, as if it were a data set.

    Every function that takes a frame of `compare` takes this one too; so `gain_by_imbalance`
    shows the gain of every target against its imbalance, as in Figures 6 and 8 of the paper.

    Parameters
    ----------
    frame : pandas.DataFrame
        What ``compare(..., sensitivities=True)`` returns.

    Returns
    -------
    pandas.DataFrame
        A row for every target of every fit that did not fail, with the columns ``dataset``, which
        is its name and that of the target, ``method``, ``split``, ``target``, ``n_train`` and
        ``n_test`` (samples that have a label), ``n_classes`` and ``imbalance_ratio`` (of the
        training part) and ``balanced_accuracy``.

    Raises
    ------
    ValueError
        If the frame holds no sensitivities.

    See Also
    --------
    by_class : A row for every class.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sk_crl.evaluation import by_target, compare
    >>> X, Y = make_multilabel_classification(n_classes=2, random_state=0)
    >>> methods, data = {"kNN": KNeighborsClassifier()}, {"tags": (X, Y)}
    >>> frame = compare(methods, data, cv=2, sensitivities=True, verbose=False)
    >>> by_target(frame)[["dataset", "split", "imbalance_ratio", "balanced_accuracy"]].round(2)
       dataset  split  imbalance_ratio  balanced_accuracy
    0  tags: 0      0             1.94               0.85
    1  tags: 1      0             1.27               0.65
    2  tags: 0      1             1.94               0.76
    3  tags: 1      1             1.17               0.69
    """
    classes = by_class(frame)
    is_one_of_several = classes["target"].notna()
    names = classes["dataset"] + ": " + classes["target"].fillna("").astype(str)
    classes["dataset"] = names.where(is_one_of_several, classes["dataset"])
    is_trained = classes["n_train"] > 0
    groups = classes.assign(n_trained=classes["n_train"].where(is_trained)).groupby(FIT, sort=False)
    table = groups.agg(
        target=("target", "first"),
        n_train=("n_train", "sum"),
        n_test=("n_test", "sum"),
        n_classes=("n_trained", "count"),
        largest=("n_trained", "max"),
        smallest=("n_trained", "min"),
        balanced_accuracy=("sensitivity", "mean"),
    )
    table.insert(4, "imbalance_ratio", table.pop("largest") / table.pop("smallest"))
    return table.reset_index()
