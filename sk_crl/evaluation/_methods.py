"""The methods to compare: named estimators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.base import clone


def read_methods(methods: Any) -> dict[str, Any]:
    """Check named estimators.

    Parameters
    ----------
    methods : dict or sequence of (str, estimator)
        The methods.

    Returns
    -------
    dict of estimators
        In the order given.

    Raises
    ------
    ValueError
        If there are none, or two of one name.
    TypeError
        For names that are no strings, and for what is no estimator.
    """
    pairs = _pairs(methods)
    check_names("method", [name for name, _ in pairs])
    for name, estimator in pairs:
        if isinstance(estimator, type) or not (
            hasattr(estimator, "fit") and hasattr(estimator, "get_params")
        ):
            raise TypeError(
                f"Method {name!r} must be an estimator, such as LogisticRegression(); got "
                f"{estimator!r}."
            )
    return dict(pairs)


def check_names(kind: str, names: Iterable[Any]) -> None:
    """Raise an error unless there are names, all strings, no two alike."""
    names = list(names)
    if not names:
        raise ValueError(f"Expected one {kind} or more; got none.")
    for name in names:
        if not isinstance(name, str) or not name:
            raise TypeError(f"The name of a {kind} must be a string, not empty; got {name!r}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"Every {kind} needs a name of its own; got more than one of the name "
            f"{', '.join(map(repr, twice))}."
        )


def seeded(estimator: Any, seed: int | None) -> Any:
    """Clone an estimator, and set each `random_state` in it that is None to a seed."""
    copy = clone(estimator)
    if seed is None:
        return copy
    unset = {
        name: seed
        for name, value in copy.get_params(deep=True).items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    }
    return copy.set_params(**unset) if unset else copy


def _pairs(methods: Any) -> list[tuple[Any, Any]]:
    """List names and estimators."""
    if isinstance(methods, Mapping):
        return list(methods.items())
    if isinstance(methods, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in methods
    ):
        return [tuple(pair) for pair in methods]
    raise TypeError(
        "methods must be a dict of estimators by name, or a list of pairs (name, estimator); got "
        f"{methods!r}."
    )
