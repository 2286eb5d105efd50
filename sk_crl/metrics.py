"""Metrics that count every class alike."""

from sklearn.metrics import balanced_accuracy_score, make_scorer

__all__ = ["balanced_accuracy"]

balanced_accuracy = make_scorer(balanced_accuracy_score)
balanced_accuracy.__doc__ = """Scorer: the mean of the per-class sensitivities (Eq. 17-18).

The same as scikit-learn's ``scoring="balanced_accuracy"``, as an object.

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
