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
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from common import add_data_option, skip
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, log_loss, make_scorer
from sklearn.utils.class_weight import compute_sample_weight
from study_methods import make_methods

from sk_crl import balanced_accuracy
from sk_crl.evaluation import compare
from sk_crl.model_selection import MultiOutputStratifiedShuffleSplit

CV = MultiOutputStratifiedShuffleSplit(3, test_size=1 / 3, random_state=0)
PROCESSES = 2
RESULTS = Path(__file__).parent / "results" / "study.csv"


def balanced_log_loss(y: NDArray, probabilities: NDArray) -> float:
    """Compute the log-loss in which all classes count alike."""
    return log_loss(y, probabilities, sample_weight=compute_sample_weight("balanced", y))


LABEL_SCORES = {"balanced_accuracy": balanced_accuracy, "macro_f1": "f1_macro"}
PROBABILITY_SCORES = {
    "average_precision": make_scorer(average_precision_score, response_method="predict_proba"),
    "log_loss": make_scorer(log_loss, response_method="predict_proba"),
    "balanced_log_loss": make_scorer(balanced_log_loss, response_method="predict_proba"),
}


class Table(NamedTuple):
    """A table: features, labels, and which features are numbers of categories."""

    X: NDArray
    y: NDArray
    categorical: NDArray[np.bool_]


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
    # Small classes make samplers and folds warn in many fits. Those that fail are still told of.
    warnings.simplefilter("ignore", UserWarning)
    with parallel_config("loky", inner_max_num_threads=1):
        run(tables, arguments.out, retry_failed=arguments.retry_failed)


def load_tables(folder: Path | None) -> dict[str, Table]:
    """Load all tables of a folder, the largest first."""
    paths = [] if folder is None else sorted((Path(folder) / "tabular").glob("*.npz"))
    if not paths:
        skip("the study", f"no tabular/*.npz in the data folder, which is {folder}")
    tables = {}
    for path in paths:
        with np.load(path) as file:
            X = file["X"]
            mask = file["categorical"] if "categorical" in file else np.zeros(X.shape[1], bool)
            tables[path.stem] = Table(X, file["y"], mask)
    return dict(sorted(tables.items(), key=lambda item: -len(item[1].y)))


def run(
    tables: dict[str, Table],
    path: Path,
    make: Callable[..., dict[str, Any]] = make_methods,
    n_jobs: int = PROCESSES,
    retry_failed: bool = False,
) -> None:
    """Do the fits that are missing, a table after the other, and write the CSV after each."""
    start = perf_counter()
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, (name, table) in enumerate(tables.items(), start=1):
        print(f"{name}: {len(table.y)} rows", flush=True)
        frame = run_table(name, table, path.with_suffix(".jsonl"), make, n_jobs, retry_failed)
        others = read_fits(path).query("dataset != @name") if path.exists() else None
        frame = pd.concat([others, frame], ignore_index=True)
        frame.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
        minutes = (perf_counter() - start) / 60
        print(f"{number} of {len(tables)} tables after {minutes:.1f} minutes", flush=True)


def read_fits(path: Path) -> pd.DataFrame:
    """Read the CSV of all fits."""
    return pd.read_csv(path, dtype={"error": object})


def run_table(
    name: str,
    table: Table,
    path: Path,
    make: Callable[..., dict[str, Any]],
    n_jobs: int,
    retry_failed: bool,
) -> pd.DataFrame:
    """Compare all methods on a table; those without probabilities lack the scores of these."""
    X, y, categorical = table
    train, _ = next(CV.split(X, y))
    methods = make(np.unique(y[train], return_counts=True)[1].tolist(), categorical)
    groups = {True: PROBABILITY_SCORES, False: {}}
    frames = [
        compare(
            {n: m for n, m in methods.items() if hasattr(m, "predict_proba") == has_probabilities},
            {name: (X, y)},
            cv=CV,
            scoring=LABEL_SCORES | scores,
            n_jobs=n_jobs,
            path=path,
            retry_failed=retry_failed,
        )
        for has_probabilities, scores in groups.items()
        if any(hasattr(m, "predict_proba") == has_probabilities for m in methods.values())
    ]
    frame = pd.concat([one.dropna(axis=1, how="all") for one in frames], ignore_index=True)
    place = {method: number for number, method in enumerate(methods)}
    frame = frame.sort_values(
        ["split", "method"], key=lambda c: c.map(place) if c.name == "method" else c
    )
    columns = [*LABEL_SCORES, *PROBABILITY_SCORES]
    known = ["dataset", "method", "split", "n_train", "n_classes", "imbalance_ratio"]
    return frame.reindex(columns=[*known, *columns, "fit_time", "score_time", "error"])


if __name__ == "__main__":
    main()
