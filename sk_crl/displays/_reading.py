"""What displays read: labels of one target or several, and what fitted estimators know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_crl._labels import LabelColumn, Labels, is_text, where
from sk_crl._names import unknown_name


def target_titles(labels: Labels) -> list[str | None]:
    """Name the targets for a reader; a single target has no name."""
    if labels.template is None:
        return [None]
    if labels.names is not None:
        return [str(name) for name in labels.names]
    return [f"Target {i}" for i in range(len(labels.columns))]


def chosen_targets(target: Any, names: tuple | None, n_targets: int) -> list[int]:
    """Find the target that is named, or counted; None chooses all.

    Raises
    ------
    ValueError
        Where there is none of this name or place.
    """
    if target is None:
        return list(range(n_targets))
    if names is not None and target in names:
        return [names.index(target)]
    is_place = isinstance(target, int) and not isinstance(target, bool)
    if is_place and -n_targets <= target < n_targets:
        return [target % n_targets]
    known = [repr(name) for name in names] if names is not None else []
    if isinstance(target, str) and known:
        raise ValueError(unknown_name("target", target, map(str, names)))
    also = f", or one of the names {', '.join(known)}" if known else ""
    raise ValueError(
        f"target must be an integer from {-n_targets} to {n_targets - 1}{also}; got {target!r}."
    )


def fitted_part(estimator: Any, attribute: str) -> Any | None:
    """Find what has an attribute: an estimator, its best one, or the last step of a pipeline."""
    while estimator is not None and not hasattr(estimator, attribute):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return None
    return estimator


def require_part(estimator: Any, attribute: str, advice: str) -> Any:
    """Find what has an attribute, or say who lacks it.

    Raises
    ------
    ValueError
        Where nothing has it.
    """
    part = fitted_part(estimator, attribute)
    if part is None:
        raise ValueError(
            f"The estimator must have {attribute}; {type(estimator).__name__} has none. {advice}"
        )
    return part


def short_name(estimator: Any) -> str:
    """Name an estimator, for a search or a pipeline what is at its end."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return type(estimator).__name__


def named_estimators(estimator: Any) -> dict[str, Any]:
    """Take several estimators by name, or a single one under that of its class."""
    return as_named(estimator, short_name(estimator), "estimator")


def as_named(given: Any, name: str, what: str) -> dict[str, Any]:
    """Take several things by name, or a single one under a name of its own.

    Raises
    ------
    ValueError
        For a mapping without anything in it.
    """
    if not isinstance(given, Mapping):
        return {name: given}
    if not given:
        raise ValueError(f"{what} must hold something by name; got an empty mapping.")
    return {str(key): value for key, value in given.items()}


def check_alike(truth: Labels, known: Labels) -> None:
    """Raise ValueError unless these are labels of the same targets."""
    if len(truth.columns) != len(known.columns):
        raise ValueError(
            f"y_train must have as many targets as y_true, {len(truth.columns)}; got "
            f"{len(known.columns)}."
        )
    if None not in (truth.names, known.names) and truth.names != known.names:
        raise ValueError(
            f"The columns of y_train must be those of y_true, in the same order: "
            f"{list(truth.names)}; got {list(known.names)}."
        )


def union_of_classes(true: LabelColumn, known: LabelColumn) -> NDArray:
    """List the classes that occur in either.

    Raises
    ------
    ValueError
        Where one holds text and the other does not.
    """
    here, there = true.classes(), known.classes()
    if len(here) and len(there) and is_text(here) != is_text(there):
        raise ValueError(
            f"{where('y_train', known.title)} must hold labels of the same type as y_true, such as "
            f"{here.tolist()[0]!r}; got {there.tolist()[0]!r}."
        )
    return np.union1d(here, there)


def known_codes(column: LabelColumn, classes: NDArray) -> NDArray[np.int64]:
    """Encode the labels that are there."""
    codes = column.codes(classes)
    return codes[codes >= 0]
