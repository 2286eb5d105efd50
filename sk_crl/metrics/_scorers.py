"""Scorers for cross-validation and searches."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.metrics import make_scorer

from sk_crl._checks import check_integer
from sk_crl.metrics._sensitivity import balanced_accuracy_score
from sk_crl.metrics._top_k import top_k_balanced_accuracy_score

balanced_accuracy = make_scorer(balanced_accuracy_score)
balanced_accuracy.__doc__ = """Scorer: the mean of the per-class sensitivities (Eq. 17-18).

For one target or several, where labels may be missing: `balanced_accuracy_score` of what an
estimator predicts. scikit-learn's ``scoring="balanced_accuracy"``, by name, is the same for one
target with all its labels; several targets need this object. A label of your own that stands for
none needs ``make_scorer(balanced_accuracy_score, missing_label=...)``.

Examples
--------
>>> from sklearn.datasets import load_iris
>>> from sklearn.dummy import DummyClassifier
>>> from sklearn.model_selection import cross_val_score
>>> from sk_crl import balanced_accuracy
>>> X, y = load_iris(return_X_y=True)
>>> cross_val_score(DummyClassifier(), X, y, scoring=balanced_accuracy, cv=3).round(2)
array([0.33, 0.33, 0.33])
"""
# Doctest looks at functions and classes, not at objects.
__test__ = {"balanced_accuracy": balanced_accuracy.__doc__}


class TopKScorer:
    """Scorer of the class-balanced top-k accuracy, as `top_k_balanced_accuracy_scorer` makes it.

    scikit-learn's own scorers tell a metric nothing of the estimator, but a fold may lack classes
    that the scores have columns for.

    Parameters
    ----------
    k : int
        How many classes may be named.
    missing_label : number or str, optional
        A further label that stands for none.
    """

    def __init__(self, k: int, missing_label: Any = None):
        check_integer("k", k, 1)
        self.k = k
        self.missing_label = missing_label
        # Never called: it answers for metadata routing, in whatever way scikit-learn routes.
        self._routing = make_scorer(top_k_balanced_accuracy_score)

    def __call__(
        self,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: Any,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Score the estimator's probabilities, or where it has none its decision function."""
        expected = getattr(estimator, "target_names_in_", None)
        if expected is not None and hasattr(y, "columns") and [*y.columns] != expected.tolist():
            raise ValueError(
                f"The columns of y must be {expected.tolist()}, in this order; got {[*y.columns]}."
            )
        has_probabilities = hasattr(estimator, "predict_proba")
        respond = estimator.predict_proba if has_probabilities else estimator.decision_function
        return top_k_balanced_accuracy_score(
            y,
            respond(X),
            k=self.k,
            labels=estimator.classes_,
            sample_weight=sample_weight,
            missing_label=self.missing_label,
        )

    def __repr__(self) -> str:
        missing = "" if self.missing_label is None else f", missing_label={self.missing_label!r}"
        return f"top_k_balanced_accuracy_scorer(k={self.k}{missing})"

    def set_score_request(self, **requests: Any) -> TopKScorer:
        """Request metadata, as scikit-learn's scorers do."""
        self._routing.set_score_request(**requests)
        return self

    def get_metadata_routing(self) -> Any:
        """Say what metadata are requested."""
        return self._routing.get_metadata_routing()

    def _accept_sample_weight(self) -> bool:
        """Answer searches that are fitted with sample weights; scikit-learn 1.9 asks for it."""
        return True


def top_k_balanced_accuracy_scorer(k: int, missing_label: Any = None) -> TopKScorer:
    """Make a scorer: the class-balanced top-k accuracy.

    It is `top_k_balanced_accuracy_score` of an estimator's `predict_proba`, or where there is none
    of its `decision_function`, with the estimator's ``classes_``, so that a fold may lack some.

    Parameters
    ----------
    k : int
        How many classes may be named; less than there are of any target.
    missing_label : number or str, optional
        A further label that stands for none.

    Returns
    -------
    callable
        Scorer with the signature ``scorer(estimator, X, y, sample_weight=None)``.

    Raises
    ------
    ValueError
        If `k` is no integer of at least 1.

    See Also
    --------
    balanced_accuracy : The scorer for predicted labels.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.model_selection import cross_val_score
    >>> from sk_crl.metrics import top_k_balanced_accuracy_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> scoring = top_k_balanced_accuracy_scorer(k=2)
    >>> cross_val_score(DummyClassifier(), X, y, scoring=scoring, cv=3).round(2)
    array([0.67, 0.67, 0.67])
    """
    return TopKScorer(k, missing_label)
