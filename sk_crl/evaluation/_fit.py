"""One fit: a method on the training part of a split, scored on its test part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import cross_validate

from sk_crl._labels import Labels, read_labels, short
from sk_crl.evaluation._data import Split
from sk_crl.evaluation._memory import watch_memory
from sk_crl.evaluation._methods import seeded
from sk_crl.evaluation._scoring import SENSITIVITIES, Scores

UNKNOWN = float("nan")


class Fit(NamedTuple):
    """What to fit, without the data.

    Attributes
    ----------
    dataset, method : str
        Their names.
    number : int
        Number of the split.
    split : Split
        Its rows.
    classes : list of ndarray
        The classes of every target.
    seed : int or None
        What is set where the method has `random_state` None.
    """

    dataset: str
    method: str
    number: int
    split: Split
    classes: list[NDArray]
    seed: int | None

    @property
    def key(self) -> tuple[str, str, int]:
        """What there is one fit of."""
        return self.dataset, self.method, self.number

    def describe(self) -> dict[str, Any]:
        """Say what is known before it is fitted."""
        return {
            "dataset": self.dataset,
            "method": self.method,
            "split": self.number,
            "n_train": len(self.split.train),
            "n_test": len(self.split.test),
            "n_classes": self.split.n_classes,
            "imbalance_ratio": self.split.imbalance_ratio,
        }


def run_fit(
    fit: Fit, estimator: Any, X: Any, y: Any, scorers: dict[str, Callable], sensitivities: bool
) -> dict[str, Any]:
    """Fit and score; whatever goes wrong is part of the result.

    Returns
    -------
    dict
        ``"scores"`` by name, ``"fit_time"`` and ``"score_time"`` in seconds, ``"peak_memory"`` in
        MiB, ``"error"``, None or what went wrong, and ``"sensitivities"`` where they are wanted.
    """
    scores = Scores(scorers, fit.classes if sensitivities else None)
    peak_memory = watch_memory()
    result = {"fit_time": UNKNOWN, "score_time": UNKNOWN, "peak_memory": UNKNOWN}
    try:
        timed = cross_validate(
            seeded(estimator, fit.seed),
            X,
            y,
            cv=[(fit.split.train, fit.split.test)],
            scoring=scores,
            n_jobs=1,
            error_score="raise",
        )
        result = {name: float(timed[name][0]) for name in ("fit_time", "score_time")}
        result["peak_memory"] = peak_memory()
    except Exception as error:
        scores.errors.append(describe_error(error) + _advice(error, X))
    result["scores"] = scores.values
    result["error"] = "; ".join(scores.errors) or None
    if sensitivities:
        result[SENSITIVITIES] = _by_class(scores, fit, y)
    return result


def failed(error: str, scorers: dict[str, Callable]) -> dict[str, Any]:
    """Make the result of a fit whose data could not be loaded."""
    times = {"fit_time": UNKNOWN, "score_time": UNKNOWN, "peak_memory": UNKNOWN}
    return {**times, "scores": dict.fromkeys(scorers, UNKNOWN), "error": error}


def describe_error(error: Exception) -> str:
    """Write the type and message of an exception."""
    return f"{type(error).__name__}: {error}"


def _advice(error: Exception, X: Any) -> str:
    """Say which columns hold text, where that is what a method stumbles over."""
    if not isinstance(error, ValueError) or "could not convert string" not in str(error):
        return ""
    table = np.asarray(X, dtype=object)
    if table.ndim != 2:
        return ""
    names = np.asarray(getattr(X, "columns", range(table.shape[1])), dtype=object)
    holds_text = [any(isinstance(value, str) for value in column) for column in table.T]
    return (
        f". X holds text in the columns {short(names[holds_text])}: encode them in a pipeline, by "
        "sklearn.preprocessing.OneHotEncoder for instance."
    )


def _by_class(scores: Scores, fit: Fit, y: Any) -> list[dict[str, Any]] | None:
    """List every class of every target, its samples in both parts, and its sensitivity."""
    if scores.sensitivities is None:
        return None
    labels = read_labels(y)
    codes = labels.codes(fit.classes)
    titles = _titles(labels)
    listed = []
    for target, (known, found) in enumerate(zip(fit.classes, scores.sensitivities, strict=True)):
        train, test = (
            np.bincount(code[code >= 0], minlength=len(known)).tolist()
            for code in (codes[fit.split.train, target], codes[fit.split.test, target])
        )
        for row in zip(known.tolist(), train, test, found.tolist(), strict=True):
            names = ("class", "n_train", "n_test", "sensitivity")
            listed.append({"target": titles[target], **dict(zip(names, row, strict=True))})
    return listed


def _titles(labels: Labels) -> list[str | None]:
    """Name the targets, by their number where they have no names; None for a single one."""
    if labels.template is None:
        return [None]
    names = labels.names or range(len(labels.columns))
    return [str(name) for name in names]
