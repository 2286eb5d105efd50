"""Whether scorers can be computed at all, found out before the first fit.

What a scorer asks of an estimator is not public, and a function may ask for anything. So it is
tried on classifiers that know nothing but their classes, and answer in one way only.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import cross_validate
from sklearn.utils.metaestimators import available_if

from sk_crl._containers import decode
from sk_crl._labels import read_labels
from sk_crl.evaluation._data import DataSet

LABELS = "predict"
SCORES = ("predict_proba", "decision_function")


class StandIn(ClassifierMixin, BaseEstimator):
    """A classifier that names its classes in turn.

    Parameters
    ----------
    response : {"predict", "predict_proba", "decision_function"}
        What it has beside `predict`.
    """

    def __init__(self, response: str = LABELS) -> None:
        self.response = response

    def fit(self, X: Any, y: Any) -> StandIn:
        """Learn the classes."""
        self.labels_ = read_labels(y)
        self.known_ = self.labels_.classes()
        self.classes_ = self.known_[0] if self.labels_.template is None else self.known_
        return self

    def predict(self, X: Any) -> Any:
        """Name one class after the other."""
        if self.labels_.template is None:
            return self.known_[0][self._codes(X)[:, 0]]
        return decode(self._codes(X), self.known_, self.labels_)

    @available_if(lambda self: self.response == "predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Be certain of one class after the other."""
        certain = [
            np.eye(len(known))[code]
            for known, code in zip(self.known_, self._codes(X).T, strict=True)
        ]
        return certain[0] if self.labels_.template is None else certain

    @available_if(lambda self: self.response == "decision_function")
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Give one class after the other the highest score."""
        codes = self._codes(X)[:, 0]
        n_classes = len(self.known_[0])
        # No sum of these is 1, as that of probabilities is.
        return 4.0 * codes - 2 if n_classes == 2 else 4 * np.eye(n_classes)[codes] - 2

    def _codes(self, X: Any) -> NDArray[np.int64]:
        """Number the classes of every target in turn."""
        n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
        return np.column_stack([np.arange(n_samples) % len(known) for known in self.known_])


def check_responses(
    methods: dict[str, Any], scorers: dict[str, Callable], data: DataSet, X: Any, y: Any
) -> None:
    """Check that every scorer suits the data, and that every method has what it asks for.

    Raises
    ------
    ValueError
        If not.
    """
    for name, scorer in scorers.items():
        if _failure(LABELS, scorer, data, X, y) is None:
            continue
        failures = {response: _failure(response, scorer, data, X, y) for response in SCORES}
        enough = [response for response, error in failures.items() if error is None]
        if enough:
            _check_methods(methods, name, enough)
            continue
        error = failures[SCORES[0]]
        # Attributes that the stand-in lacks, a method may have.
        if not isinstance(error, AttributeError):
            raise ValueError(
                f"Scorer {name!r} cannot score data set {data.name!r}, whatever the method "
                f"predicts: {type(error).__name__}: {error}{_advice(name, data)}"
            ) from error


def _advice(scorer: str, data: DataSet) -> str:
    """Name the forms of a scorer for two classes that take more, such as f1_macro."""
    averages = ("macro", "weighted", "micro", "ovr", "ovo")
    forms = [f"{scorer}_{average}" for average in averages]
    known = [repr(form) for form in forms if form in get_scorer_names()]
    if len(data.classes) > 1 or not known:
        return ""
    return f" Use a form of it for any classes: {', '.join(known)}."


def _failure(response: str, scorer: Callable, data: DataSet, X: Any, y: Any) -> Exception | None:
    """Score a stand-in on the first split; return what goes wrong."""
    rows = [(data.splits[0].train, data.splits[0].test)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = cross_validate(
                StandIn(response),
                X,
                y,
                cv=rows,
                scoring={"score": scorer},
                n_jobs=1,
                error_score="raise",
            )
        except Exception as error:
            return error
    return ValueError("the score is NaN") if np.isnan(found["test_score"][0]) else None


def _check_methods(methods: dict[str, Any], scorer: str, enough: list[str]) -> None:
    """Raise ValueError for a method with none of the responses that are enough."""
    for name, method in methods.items():
        if not any(hasattr(method, response) for response in enough):
            raise ValueError(
                f"Scorer {scorer!r} needs {' or '.join(enough)}, which method {name!r} "
                f"({type(method).__name__}) does not have. Leave one of them out, or wrap the "
                "method in sklearn.calibration.CalibratedClassifierCV."
            )
