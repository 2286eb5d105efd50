"""A metric of predicted labels, however it is given."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer

from sk_crl.metrics import balanced_accuracy, balanced_accuracy_score


class Metric:
    """A metric of true and predicted labels of one target, higher is better.

    Parameters
    ----------
    scoring : str, callable or scorer
        A name that scikit-learn knows, a function of true and predicted labels, or what
        `make_scorer` makes of one.

    Raises
    ------
    ValueError
        For anything else.
    """

    def __init__(self, scoring: Any):
        self.is_balanced_accuracy = (
            isinstance(scoring, str) and scoring == "balanced_accuracy"
        ) or any(scoring is known for known in (balanced_accuracy, balanced_accuracy_score))
        if isinstance(scoring, str):
            self._scorer = get_scorer(scoring)
        elif callable(scoring):
            self._scorer = scoring
        else:
            raise ValueError(
                "scoring must be the name of a metric, or a function of true and predicted labels; "
                f"got {scoring!r}."
            )
        self._scoring = scoring

    def __call__(
        self, true: NDArray, predicted: NDArray, weight: NDArray, classes: NDArray
    ) -> float:
        """Score predicted labels.

        Raises
        ------
        ValueError
            If the metric needs more than labels, or gives no finite number.
        """
        if self.is_balanced_accuracy:
            return balanced_accuracy_score(true, predicted, sample_weight=weight)
        options = {} if (weight == 1).all() else {"sample_weight": weight}
        if hasattr(self._scorer, "set_score_request"):  # a scorer asks an estimator
            try:
                score = self._scorer(_Said(classes), predicted, true, **options)
            except AttributeError as error:
                raise ValueError(
                    "scoring must judge predicted labels, which is what offsets change; "
                    f"{self._scoring!r} needs scores of the classes."
                ) from error
        else:
            takes_weight = "sample_weight" in inspect.signature(self._scorer).parameters
            score = self._scorer(true, predicted, **(options if takes_weight else {}))
        if not isinstance(score, numbers.Real) or not np.isfinite(score):
            raise ValueError(
                f"scoring={self._scoring!r} must give a finite number for true and predicted "
                f"labels; got {score!r}."
            )
        return float(score)

    def of_codes(
        self, true: NDArray, weight: NDArray, classes: NDArray
    ) -> Callable[[NDArray], float]:
        """Make a function of predicted class codes, for true ones."""
        return lambda predicted: self(classes[true], classes[predicted], weight, classes)


class _Said(ClassifierMixin, BaseEstimator):
    """A classifier whose samples are its predictions, for scorers to ask."""

    def __init__(self, classes: NDArray):
        self.classes = classes
        self.classes_ = classes

    def predict(self, X: NDArray) -> NDArray:
        """Say again what was said."""
        return X
