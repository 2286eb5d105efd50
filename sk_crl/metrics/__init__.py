"""Metrics that count every class alike, for one target or several, where labels may be missing."""

from sk_crl.metrics._scorers import balanced_accuracy, top_k_balanced_accuracy_scorer
from sk_crl.metrics._sensitivity import balanced_accuracy_score, class_sensitivities
from sk_crl.metrics._top_k import top_k_balanced_accuracy_score

__all__ = [
    "balanced_accuracy",
    "balanced_accuracy_score",
    "class_sensitivities",
    "top_k_balanced_accuracy_score",
    "top_k_balanced_accuracy_scorer",
]
