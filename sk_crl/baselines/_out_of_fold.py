"""Out-of-fold predictions of any classifier, for one target or several.

scikit-learn's `cross_val_predict` encodes labels before an estimator sees them, which loses missing
ones and does not work where the targets are of different types.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed

from sk_crl._checks import check_integer
from sk_crl._labels import MOST_SHOWN, Labels
from sk_crl._stratification import fold_codes

Split = tuple[NDArray[np.int64], NDArray[np.int64]]
# From a fitted classifier and samples to an array (..., n_samples, n_classes) for every target.
Respond = Callable[[BaseEstimator, Any], list[NDArray[np.float64]]]


def classes_of(estimator: BaseEstimator) -> list[NDArray]:
    """List the classes of every target of a fitted classifier."""
    return (
        [np.asarray(c) for c in estimator.classes_]
        if knows_several(estimator)
        else [np.asarray(estimator.classes_)]
    )


def knows_several(estimator: BaseEstimator) -> bool:
    """Whether a fitted classifier answers with a list, an item for every target."""
    classes = estimator.classes_
    return isinstance(classes, list | tuple) and len(classes) > 0 and np.ndim(classes[0]) == 1


def probabilities_of(estimator: BaseEstimator, X: Any) -> list[NDArray[np.float64]]:
    """Ask a fitted classifier for its probabilities, an array for every target.

    Raises
    ------
    ValueError
        Unless they are such: an array with a column for every class, not negative, not all 0.
    """
    classes = classes_of(estimator)
    given = estimator.predict_proba(X)
    tables = list(given) if knows_several(estimator) else [given]
    name = type(estimator).__name__
    tables = [np.asarray(table, dtype=np.float64) for table in tables]
    shapes = [table.shape[1:] for table in tables]
    expected = [(len(known),) for known in classes]
    if shapes != expected:
        raise ValueError(
            f"The probabilities of {name} must have a column for every class, {expected} of its "
            f"targets; got {shapes}."
        )
    for table in tables:
        is_strange = ~(np.isfinite(table) & (table >= 0)).all(axis=1) | ~table.any(axis=1)
        if is_strange.any():
            row = int(is_strange.argmax())
            raise ValueError(
                f"The probabilities of {name} must be finite, not negative and not all 0; got "
                f"{table[row].tolist()} at row {row}."
            )
    return tables


def make_splits(cv: Any, X: Any, y: Any, codes: NDArray, **split_params) -> list[Split]:
    """List the splits of a cross-validation that holds every row out once.

    Parameters
    ----------
    cv : int, splitter or iterable
        A number of stratified folds, or what makes splits.
    X, y : array-like
        The samples and their labels.
    codes : ndarray of shape (n_samples, n_targets)
        The classes, -1 where a label is missing.
    **split_params
        What the splitter is told further, such as groups.

    Returns
    -------
    list of (ndarray, ndarray)
        Rows to train on and rows to predict.

    Raises
    ------
    ValueError
        For what is no cross-validation, too many folds, and rows held out never or twice.
    """
    n_samples = len(codes)
    if isinstance(cv, str):
        raise ValueError(f"cv must be an integer, a splitter or an iterable of splits; got {cv!r}.")
    if not hasattr(cv, "split") and not np.iterable(cv):
        check_integer("cv", cv, 2, "a splitter or an iterable of splits")
        if cv > n_samples:
            raise ValueError(
                f"cv={cv} folds need as many samples or more; got n_samples={n_samples}."
            )
        folds = fold_codes(codes, cv)
        return [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in range(cv)]
    splits = list(check_cv(cv).split(X, y, **split_params))
    held_out = np.concatenate([np.arange(n_samples)[test] for _, test in splits])
    times = np.bincount(held_out, minlength=n_samples)
    if not (times == 1).all():
        row = int((times != 1).argmax())
        raise ValueError(
            "cv must hold every row out exactly once, as k-folds do; it holds row "
            f"{row} out {times[row]} times."
        )
    return splits


def out_of_fold(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    *,
    labels: Labels,
    classes: Sequence[NDArray],
    splits: Sequence[Split],
    fit_params: dict[str, Any],
    n_jobs: int | None = None,
    respond: Respond = probabilities_of,
    shape: tuple[int, ...] = (),
) -> list[NDArray[np.float64]]:
    """Predict every row by a clone that was fitted without it.

    Parameters
    ----------
    estimator : classifier
        Not fitted; each fold fits a clone. A `FrozenEstimator` predicts as it is.
    X, y : array-like
        The samples and their labels, which reach the estimator in their containers.
    labels : Labels
        The labels as read.
    classes : sequence of ndarray
        The classes of every target, in the order of the columns to return.
    splits : sequence of (ndarray, ndarray)
        Rows to train on and rows to predict.
    fit_params : dict
        What `fit` is told further; what has an item for every row is split like the rows.
    n_jobs : int, optional
        Folds at a time, as joblib counts.
    respond : callable, optional
        What predicts, from a fitted clone and samples; its probabilities by default.
    shape : tuple of int, default=()
        The axes before those of samples and classes in what `respond` returns.

    Returns
    -------
    list of ndarray of shape (..., n_samples, n_classes)
        An array for every target. A class that no row of the training part has gets 0.

    Warns
    -----
    UserWarning
        Once, of all classes that are absent from a training part.
    """
    X, y = indexable(X, y)
    frozen = isinstance(estimator, FrozenEstimator)
    answers = Parallel(n_jobs=n_jobs)(
        delayed(_predict_fold)(
            clone(estimator),
            respond,
            *(take(X, train), take(y, train), take(X, test)),
            None if frozen else labels.take(train),
            {name: _take_param(value, train, len(labels)) for name, value in fit_params.items()},
        )
        for train, test in splits
    )
    tables = [np.zeros((*shape, len(labels), len(known))) for known in classes]
    absent: list[dict[str, None]] = [{} for _ in classes]
    for (_, test), (known_there, predicted) in zip(splits, answers, strict=True):
        for j, (table, known) in enumerate(zip(tables, classes, strict=True)):
            place = {label: column for column, label in enumerate(known.tolist())}
            columns = [place[label] for label in known_there[j].tolist()]
            table[(..., *np.ix_(test, columns))] = predicted[j]
            missing = [label for label in known.tolist() if label not in known_there[j].tolist()]
            absent[j].update(dict.fromkeys(map(repr, missing)))
    _warn_of_absent(absent, [column.title for column in labels])
    return tables


def _predict_fold(
    estimator: BaseEstimator,
    respond: Respond,
    X: Any,
    y: Any,
    X_test: Any,
    labels: Labels | None,
    params: dict,
) -> tuple[list[NDArray], list[NDArray]]:
    """Fit on the training part; return the classes it has, and the response to the rest."""
    poor = [] if labels is None else [c for c in labels if len(c.classes()) < 2]
    if poor and labels is not None and labels.template is None:  # most classifiers refuse it
        n_test = X_test.shape[0] if hasattr(X_test, "shape") else len(X_test)
        return labels.classes(), [np.ones((n_test, 1))]
    try:
        fitted = estimator.fit(X, y, **params)
    except ValueError as error:
        if not poor:
            raise
        raise ValueError(
            "A training part of the cross-validation has less than two classes of "
            f"{', '.join(column.title for column in poor)}, which {type(estimator).__name__} "
            "refuses. Pass another cv, or leave these targets out."
        ) from error
    return classes_of(fitted), respond(fitted, X_test)


def take(container: Any, rows: NDArray) -> Any:
    """Select rows of anything that `sklearn.utils.indexable` lets through, data sets included."""
    torch_data = sys.modules.get("torch.utils.data")
    if torch_data is not None and isinstance(container, torch_data.Dataset):
        return torch_data.Subset(container, rows.tolist())
    if hasattr(container, "iloc"):
        return container.iloc[rows]
    if isinstance(container, list | tuple):
        return [container[row] for row in rows]
    return container[rows]


def _take_param(value: Any, rows: NDArray, n_samples: int) -> Any:
    """Select rows of a parameter of `fit` that has one for every sample."""
    has_rows = hasattr(value, "__len__") and not isinstance(value, str | dict)
    return take(value, rows) if has_rows and len(value) == n_samples else value


def _warn_of_absent(absent: list[dict[str, None]], titles: list[str]) -> None:
    """Warn, once, of classes that no row of a training part has."""
    listed = [
        f"{label} of {title}"
        for labels, title in zip(absent, titles, strict=True)
        for label in labels
    ]
    if listed:
        more = f", ... {len(listed)} in all" if len(listed) > MOST_SHOWN else ""
        warnings.warn(
            "Classes that are absent from the training part of a fold have probability 0 there, "
            f"and count as missed: {', '.join(listed[:MOST_SHOWN])}{more}.",
            UserWarning,
            stacklevel=4,
        )
