"""Class rectification beside its rivals: all methods, 23 tables, three splits.

`study_methods.py` holds the methods; those that train a network train the same one for the same
number of steps. A split leaves out a third of the rows of a table, stratified, so that every class,
also one of two rows, has a row in both parts. Fits run on two processes of one thread each.

    python benchmarks/study.py --data FOLDER    # do the fits that are missing
    python benchmarks/study.py --report         # print the tables, draw the figures

Every finished fit is a line of `results/study.jsonl`, written at once: a run that was killed goes
on where it stopped. `results/study.csv`, which the report is made of, is written after every table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import add_data_option
from comparing import (
    LABEL_SCORES,
    PROBABILITY_SCORES,
    PROCESSES,
    Plan,
    Table,
    load_tables,
    quietly,
    read_fits,
    run_plan,
)
from study_methods import make_methods

from sk_crl.model_selection import MultiOutputStratifiedShuffleSplit

CV = MultiOutputStratifiedShuffleSplit(3, test_size=1 / 3, random_state=0)
RESULTS = Path(__file__).parent / "results" / "study.csv"


def main() -> None:
    """Read the command line; fit or report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_data_option(parser)
    parser.add_argument("--out", type=Path, default=RESULTS, help="CSV of the results")
    parser.add_argument("--report", action="store_true", help="print tables; fit nothing")
    parser.add_argument("--retry-failed", action="store_true", help="do failed fits again")
    arguments = parser.parse_args()
    if arguments.report:
        from study_report import report

        report(read_fits(arguments.out))
        return
    tables = load_tables(arguments.data)
    with quietly():
        run(tables, arguments.out, retry_failed=arguments.retry_failed)


def run(
    tables: dict[str, Table],
    path: Path,
    make: Callable[..., dict[str, Any]] = make_methods,
    n_jobs: int = PROCESSES,
    retry_failed: bool = False,
) -> None:
    """Do the fits that are missing, a table after the other, and write the CSV after each."""

    def make_for(table: Table) -> dict[str, Any]:
        train, _ = next(CV.split(table.X, table.y))
        return make(np.unique(table.y[train], return_counts=True)[1].tolist(), table.categorical)

    plan = Plan(make_for, CV, scoring, (*LABEL_SCORES, *PROBABILITY_SCORES))
    run_plan(tables, path, plan, n_jobs, retry_failed)


def scoring(method: Any) -> dict[str, Any]:
    """Choose the scorers of a method: some have no probabilities."""
    return LABEL_SCORES | (PROBABILITY_SCORES if hasattr(method, "predict_proba") else {})


if __name__ == "__main__":
    main()
