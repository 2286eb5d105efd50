"""`MultiOutputCRLClassifier()` with no argument beside one rival for every target.

Raw tables of several targets, some of whose labels are missing; three splits, stratified by all
targets, leave out a third of the rows. A rival learns every target from the rows that have its
label; `default_methods.py` holds the rivals. The score is the mean over targets of the balanced
accuracies.

    python benchmarks/default_targets.py --data FOLDER     # do the fits that are missing
    python benchmarks/default_targets.py --report          # print the tables

Files and options are those of `default.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import add_data_option
from comparing import LABEL_SCORES, PROCESSES, Plan, Table, load_tables, quietly, read_all, run_plan
from default import add_run_options, choose
from default_methods import BOOSTING, EASY_ENSEMBLE, LOGISTIC, RIVALS
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone

from sk_crl import MultiOutputCRLClassifier
from sk_crl.model_selection import MultiOutputStratifiedShuffleSplit

CV = MultiOutputStratifiedShuffleSplit(3, test_size=1 / 3, random_state=1)
RESULTS = Path(__file__).parent / "results" / "default_targets.csv"
REFERENCE = "MultiOutputCRLClassifier()"
LABEL_SCORE = {"balanced_accuracy": LABEL_SCORES["balanced_accuracy"]}
PER_TARGET = (
    f"{BOOSTING}, tuned",
    "BalancedRandomForest",
    EASY_ENSEMBLE,
    f"{LOGISTIC}, balanced",
)


class PerTarget(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A clone of a classifier for every target, each on the rows that have its label.

    On complete labels this is scikit-learn's MultiOutputClassifier, which takes no others.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: NDArray, Y: NDArray) -> PerTarget:
        """Fit a clone for every target; NaN is no label."""
        known = ~np.isnan(Y)
        pairs = zip(known.T, Y.T, strict=True)
        self.estimators_ = [
            clone(self.estimator).fit(X[rows], y[rows].astype(int)) for rows, y in pairs
        ]
        self.classes_ = [estimator.classes_ for estimator in self.estimators_]
        return self

    def predict(self, X: NDArray) -> NDArray:
        """Predict every target."""
        return np.column_stack([estimator.predict(X) for estimator in self.estimators_])


def main() -> None:
    """Read the command line; fit or report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_data_option(parser)
    add_run_options(parser, RESULTS)
    arguments = parser.parse_args()
    if arguments.report:
        from default_report import report_targets

        report_targets(read_all([arguments.out, *arguments.beside]))
        return
    tables = choose(load_tables(arguments.data, "multioutput"), arguments.tables)
    with quietly():
        run(tables, arguments.out, arguments.methods, arguments.jobs, arguments.retry_failed)


def run(
    tables: dict[str, Table],
    path: Path,
    methods: Sequence[str] | None = None,
    n_jobs: int = PROCESSES,
    retry_failed: bool = False,
) -> None:
    """Do the fits of these methods on these tables that are missing."""

    def make(table: Table) -> dict[str, Any]:
        return make_methods(table.categorical, methods)

    plan = Plan(make, CV, lambda method: LABEL_SCORE, tuple(LABEL_SCORE), True)
    run_plan(tables, path, plan, n_jobs, retry_failed)


def make_methods(
    categorical: NDArray[np.bool_], names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Make the methods of these names; all where there are none.

    Raises
    ------
    ValueError
        For a name that is none.
    """
    known = ["ours", "rivals", REFERENCE, *PER_TARGET]
    names = known[:2] if names is None else names
    for name in names:
        if name not in known:
            raise ValueError(f"No method is called {name!r}; there are {', '.join(known)}.")
    methods: dict[str, Any] = {}
    if {"ours", REFERENCE} & set(names):
        methods[REFERENCE] = MultiOutputCRLClassifier(categorical_features=categorical)
    for name in PER_TARGET:
        if {"rivals", name} & set(names):
            methods[name] = PerTarget(RIVALS[name](categorical))
    return methods


if __name__ == "__main__":
    main()
