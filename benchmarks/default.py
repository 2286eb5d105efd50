"""`CRLClassifier()` with no argument beside good rivals: raw tables, five splits.

`default_methods.py` holds the methods. A split leaves out a third of the rows of a table,
stratified, so that every class, also one of two rows, has a row in both parts. Log-loss and
calibration are of probabilities under the class shares of the training part, the balanced log-loss
of those of equally frequent classes; `under_prior.py` says how the one is made of the other.

    python benchmarks/default.py --data FOLDER              # do the fits that are missing
    python benchmarks/default.py --data FOLDER --methods "EasyEnsemble" "CRLClassifier()"
    python benchmarks/default.py --report                   # print the tables, draw the figure

Every finished fit is a line of `results/default.jsonl`, written at once: a run that was killed goes
on where it stopped. `results/default.csv`, which the report is made of, is written after every
table; its rows of other methods and tables stay, so that methods can be added later.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import add_data_option
from comparing import (
    LABEL_SCORES,
    PROBABILITY_SCORES,
    PROCESSES,
    Plan,
    Table,
    load_tables,
    quietly,
    read_all,
    run_plan,
)
from default_methods import find_methods
from under_prior import (
    UnderPrior,
    calibration,
    cpu_seconds,
    even_log_loss,
    given_calibration,
    given_log_loss,
)

from sk_crl.model_selection import MultiOutputStratifiedShuffleSplit

CV = MultiOutputStratifiedShuffleSplit(5, test_size=1 / 3, random_state=1)
RESULTS = Path(__file__).parent / "results" / "default.csv"

SCORES = {
    **LABEL_SCORES,
    **PROBABILITY_SCORES,
    "balanced_log_loss": even_log_loss,
    "calibration_error": calibration,
    "cpu_seconds": cpu_seconds,
}
# Of those that see even classes, also as they are.
GIVEN_SCORES = {
    "given_log_loss": given_log_loss,
    "given_calibration_error": given_calibration,
}


def main() -> None:
    """Read the command line; fit or report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_data_option(parser)
    add_run_options(parser, RESULTS)
    arguments = parser.parse_args()
    if arguments.report:
        from default_report import report

        report(read_all([arguments.out, *arguments.beside]))
        return
    tables = choose(load_tables(arguments.data), arguments.tables)
    with quietly():
        run(tables, arguments.out, arguments.methods, arguments.jobs, arguments.retry_failed)


def add_run_options(parser: argparse.ArgumentParser, results: Path) -> None:
    """Add what says where results are, and what is to be done."""
    add = parser.add_argument
    add("--out", type=Path, default=results, help="CSV of the results")
    add("--report", action="store_true", help="print tables; fit nothing")
    add("--beside", type=Path, nargs="*", default=[], help="more CSVs for the report")
    add("--methods", nargs="*", help="names of methods or groups; default: all")
    add("--tables", nargs="*", help="names of tables (default: all)")
    add("--jobs", type=int, default=PROCESSES, help="fits at a time (default: %(default)s)")
    add("--retry-failed", action="store_true", help="do failed fits again")


def choose(tables: dict[str, Table], names: Sequence[str] | None) -> dict[str, Table]:
    """Choose tables by name, in the order of the names; all where there are none.

    Raises
    ------
    ValueError
        For a name that no table has.
    """
    unknown = sorted(set(names or ()) - set(tables))
    if unknown:
        raise ValueError(f"No table is called {unknown[0]!r}; there are {', '.join(tables)}.")
    return {name: tables[name] for name in (tables if names is None else names)}


def run(
    tables: dict[str, Table],
    path: Path,
    methods: Sequence[str] | None = None,
    n_jobs: int = PROCESSES,
    retry_failed: bool = False,
) -> None:
    """Do the fits of these methods on these tables that are missing."""
    makers = find_methods(methods)

    def make(table: Table) -> dict[str, Any]:
        return {name: make(table.categorical) for name, make in makers.items()}

    plan = Plan(make, CV, scoring, (*SCORES, *GIVEN_SCORES))
    run_plan(tables, path, plan, n_jobs, retry_failed)


def scoring(method: UnderPrior) -> dict[str, Any]:
    """Choose the scorers of a method."""
    return SCORES | (GIVEN_SCORES if method.even else {})


if __name__ == "__main__":
    main()
