"""Metrics that count every class alike."""

from sklearn.metrics import balanced_accuracy_score, make_scorer

__all__ = ["balanced_accuracy"]

#: Scorer for `cross_val_score`, `GridSearchCV` and their kin: the mean of the per-class
#: sensitivities (Eq. 17-18), which is scikit-learn's ``"balanced_accuracy"`` too.
balanced_accuracy = make_scorer(balanced_accuracy_score)
