"""Comparisons of any classifiers, on many data sets and splits, and what can be said of them."""

from sk_crl.evaluation._by_class import by_class, by_target
from sk_crl.evaluation._compare import compare
from sk_crl.evaluation._differences import gain_by_imbalance, paired_differences
from sk_crl.evaluation._ranks import CriticalDifference, critical_difference, rank_table
from sk_crl.evaluation._tables import score_table, to_latex, to_markdown

__all__ = [
    "CriticalDifference",
    "by_class",
    "by_target",
    "compare",
    "critical_difference",
    "gain_by_imbalance",
    "paired_differences",
    "rank_table",
    "score_table",
    "to_latex",
    "to_markdown",
]
