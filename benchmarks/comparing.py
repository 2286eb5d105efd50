"""Comparisons of many methods on many tables, in files that a killed run goes on from."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from common import skip
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, log_loss, make_scorer
from sklearn.utils.class_weight import compute_sample_weight

from sk_crl import balanced_accuracy
from sk_crl.evaluation import compare

FIT = ["dataset", "method", "split"]
PROCESSES = 2


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


class Plan(NamedTuple):
    """What all tables of a comparison share.

    Attributes
    ----------
    make : callable
        Makes the methods of a table, by name.
    cv : splitter
        How tables are split.
    scoring : callable
        The scorers of a method, by name.
    columns : sequence of str
        All scores of all methods, in their order.
    allow_missing_classes : bool
        Whether a part may lack a class.
    """

    make: Callable[[Table], dict[str, Any]]
    cv: Any
    scoring: Callable[[Any], dict[str, Any]]
    columns: tuple[str, ...]
    allow_missing_classes: bool = False


@contextmanager
def quietly() -> Iterator[None]:
    """Fit on one thread each, and without the warnings that small classes raise in many fits.

    Fits that fail are still told of.
    """
    with warnings.catch_warnings(), parallel_config("loky", inner_max_num_threads=1):
        warnings.simplefilter("ignore", UserWarning)
        yield


def load_tables(folder: Path | None, kind: str = "tabular") -> dict[str, Table]:
    """Load all tables of a data folder, the largest first; missing labels become NaN."""
    paths = [] if folder is None else sorted((Path(folder) / kind).glob("*.npz"))
    tables = {}
    for path in paths:
        with np.load(path) as file:
            if "X" not in file:
                continue
            X = file["X"]
            y = file["y"] if "y" in file else np.where(file["Y"] < 0, np.nan, file["Y"])
            mask = file["categorical"] if "categorical" in file else np.zeros(X.shape[1], bool)
            tables[path.stem] = Table(X, y, mask)
    if not tables:
        skip("the comparison", f"no {kind}/*.npz in the data folder, which is {folder}")
    return dict(sorted(tables.items(), key=lambda item: -len(item[1].y)))


def run_plan(
    tables: dict[str, Table],
    path: Path,
    plan: Plan,
    n_jobs: int = PROCESSES,
    retry_failed: bool = False,
) -> None:
    """Do the fits that are missing, a table after the other, and write the CSV after each.

    Every finished fit is a line of the JSON file beside the CSV, written at once. Rows of the CSV
    that are of other tables or other methods stay.
    """
    start = perf_counter()
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, (name, table) in enumerate(tables.items(), start=1):
        print(f"{name}: {len(table.y)} rows", flush=True)
        frame = run_table(name, table, path.with_suffix(".jsonl"), plan, n_jobs, retry_failed)
        if path.exists():
            others = read_fits(path)
            are_new = [(others[column].isin(frame[column])) for column in FIT[:2]]
            frame = pd.concat([others[~np.logical_and(*are_new)], frame], ignore_index=True)
        frame.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
        minutes = (perf_counter() - start) / 60
        print(f"{number} of {len(tables)} tables after {minutes:.1f} minutes", flush=True)


def read_fits(path: Path) -> pd.DataFrame:
    """Read the CSV of all fits."""
    return pd.read_csv(path, dtype={"error": object})


def read_all(paths: Sequence[Path]) -> pd.DataFrame:
    """Read the CSVs of several runs as one."""
    return pd.concat(map(read_fits, paths), ignore_index=True)


def run_table(
    name: str, table: Table, path: Path, plan: Plan, n_jobs: int, retry_failed: bool
) -> pd.DataFrame:
    """Compare all methods on a table; those without probabilities lack the scores of these."""
    methods = plan.make(table)
    groups: dict[tuple[str, ...], list[str]] = {}
    for method, estimator in methods.items():
        groups.setdefault(tuple(plan.scoring(estimator)), []).append(method)
    frames = [
        compare(
            {method: methods[method] for method in group},
            {name: table[:2]},
            cv=plan.cv,
            scoring=plan.scoring(methods[group[0]]),
            n_jobs=n_jobs,
            path=path,
            retry_failed=retry_failed,
            allow_missing_classes=plan.allow_missing_classes,
        )
        for group in groups.values()
    ]
    frame = pd.concat([one.dropna(axis=1, how="all") for one in frames], ignore_index=True)
    place = {method: number for number, method in enumerate(methods)}
    frame = frame.sort_values(
        ["split", "method"], key=lambda c: c.map(place) if c.name == "method" else c
    )
    known = [*FIT, "n_train", "n_classes", "imbalance_ratio"]
    return frame.reindex(columns=[*known, *plan.columns, "fit_time", "score_time", "error"])
