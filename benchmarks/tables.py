"""Class rectification against its rivals on four tables.

Every method trains the same network (2 x 128 hidden units, Adam) for 1,500 steps of 128 samples,
and is judged by balanced accuracy on the 40 % of the rows that a stratified split left out; five
splits. The features are scaled by the training part.

    python benchmarks/tables.py --data FOLDER     # fit what is missing, append to the CSV
    python benchmarks/tables.py --report          # print the tables of what the CSV holds

Every finished fit is one line of the CSV, written at once: a run that was killed goes on where it
stopped, and a new run has nothing to do unless lines are removed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np
from common import (
    add_data_option,
    append_result,
    find_data,
    mean_and_deviation,
    print_table,
    read_results,
    use_one_thread,
)
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sk_crl import CRLClassifier
from sk_crl.datasets import power_law_sizes

DATA = ("imblearn_ozone_level", "imblearn_satimage", "mc_page_blocks", "digits")
SPLITS = range(5)
BATCH_SIZE = 128
STEPS = 1500
SMALLEST_DIGIT = 6  # samples of the rarest digit in a training part

PLAIN = "cross-entropy"
SAMPLED = "SMOTE"
ADJUSTED = "LA"
# Parameters of the classifier; LA is logit adjustment, which is on by default.
METHODS = {
    PLAIN: {"alpha": 0.0, "logit_adjustment": None},
    SAMPLED: {"alpha": 0.0, "logit_adjustment": None},
    ADJUSTED: {"alpha": 0.0},
    "CRL + LA (alpha=0.3)": {"alpha": 0.3},
    "CRL + LA (eta=0.5)": {"eta": 0.5},
}
RECTIFIED = tuple(m for m in METHODS if m.startswith("CRL"))
COLUMNS = ("data", "split", "method", "balanced_accuracy", "seconds")
RESULTS = Path(__file__).parent / "results" / "tables.csv"


def main() -> None:
    """Read the command line; fit or report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_data_option(parser)
    parser.add_argument("--out", type=Path, default=RESULTS, help="CSV of the results")
    parser.add_argument("--report", action="store_true", help="print tables; fit nothing")
    arguments = parser.parse_args()
    if arguments.report:
        report(read_scores(arguments.out))
    else:
        use_one_thread()
        run(arguments.data, arguments.out)


# Fitting.


def run(folder: Path | None, path: Path) -> None:
    """Do the fits that have no line yet."""
    done = {row[:3] for row in read_scores(path)}
    for data in DATA:
        table = load(folder, data)
        if table is None:
            continue
        for split, method in product(SPLITS, METHODS):
            if (data, split, method) in done:
                continue
            train_X, test_X, train_y, test_y = split_table(data, *table, split)
            start = perf_counter()
            model = make_model(method, train_y, split).fit(train_X, train_y)
            seconds = perf_counter() - start
            score = balanced_accuracy_score(test_y, model.predict(test_X))
            row = (data, split, method, f"{score:.6f}", f"{seconds:.2f}")
            append_result(path, dict(zip(COLUMNS, row, strict=True)))
            print(f"{data}, split {split}, {method}: {score:.3f} in {seconds:.1f} s", flush=True)


def load(folder: Path | None, data: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Load a table's features and labels; None where its file is missing."""
    if data == "digits":
        return load_digits(return_X_y=True)
    path = find_data(folder, f"tabular/{data}.npz")
    if path is None:
        return None
    with np.load(path) as table:
        return table["X"], table["y"]


def split_table(data: str, X: np.ndarray, y: np.ndarray, split: int) -> list[np.ndarray]:
    """Split, stratified, 60 to 40; thin the training part of the digits."""
    train_X, test_X, train_y, test_y = train_test_split(
        X, y, test_size=0.4, stratify=y, random_state=split
    )
    if data == "digits":
        rows = power_law_rows(train_y, split)
        train_X, train_y = train_X[rows], train_y[rows]
    return [train_X, test_X, train_y, test_y]


def power_law_rows(y: np.ndarray, seed: int) -> np.ndarray:
    """Choose rows so that the classes follow a power law; which is rare is drawn by `seed`."""
    rng = np.random.default_rng(seed)
    counts = np.bincount(y)
    sizes = power_law_sizes(len(counts), largest=int(counts.min()), smallest=SMALLEST_DIGIT)
    classes = rng.permutation(len(counts))
    return np.concatenate(
        [rng.permutation(np.flatnonzero(y == c))[:n] for c, n in zip(classes, sizes, strict=True)]
    )


def make_model(method: str, y: np.ndarray, seed: int):
    """Make the pipeline of a method: scaler, samplers if any, network."""
    samplers = list(smote(y, seed)) if method == SAMPLED else []
    counts = np.bincount(y)
    n_samples = (counts > 0).sum() * counts.max() if samplers else len(y)
    network = CRLClassifier(
        n_members=1,
        **METHODS[method],
        module__hidden_units=(128, 128),
        batch_size=BATCH_SIZE,
        max_epochs=math.ceil(STEPS / math.ceil(n_samples / BATCH_SIZE)),
        lr=1e-3,
        device="cpu",
        random_state=seed,
    )
    return make_pipeline(StandardScaler(), *samplers, network)


def smote(y: np.ndarray, seed: int) -> Iterator[SMOTE | RandomOverSampler]:
    """Make SMOTE fit for rare classes.

    SMOTE wants `k_neighbors` neighbours of every sample in its own class: as many as the rarest
    class has, at most the usual five. A class of one row has none and is copied instead.
    """
    labels, counts = np.unique(y, return_counts=True)
    single = labels[counts == 1].tolist()
    if single:
        print(f"SMOTE cannot interpolate the single row of {single}: copied instead.", flush=True)
        strategy = dict.fromkeys(single, int(counts.max()))
        yield RandomOverSampler(sampling_strategy=strategy, random_state=seed)
    neighbours = min(5, int(counts[counts > 1].min()) - 1)
    yield SMOTE(k_neighbors=neighbours, random_state=seed)


# The report.


def read_scores(path: Path) -> list[tuple[str, int, str, float]]:
    """Read what is finished: data, split, method, balanced accuracy."""
    return [
        (row["data"], int(row["split"]), row["method"], float(row["balanced_accuracy"]))
        for row in read_results(path)
    ]


def report(results: list[tuple[str, int, str, float]]) -> None:
    """Print mean scores, and paired differences of CRL to LA and to SMOTE."""
    score = {row[:3]: row[3] for row in results}
    names = [data for data in DATA if any(row[0] == data for row in results)]
    if not names:
        print("No results yet.")
        return

    def scores(data: str, method: str) -> np.ndarray:
        return np.array([score.get((data, split, method), np.nan) for split in SPLITS])

    print("Balanced accuracy, mean ± standard deviation over the splits:\n")
    print_table(
        ["", *names],
        [[m, *(mean_and_deviation(scores(data, m)) for data in names)] for m in METHODS],
    )
    print("Paired differences in points, mean ± standard deviation over the splits (won-lost):\n")
    print_table(
        ["", *names],
        [
            [f"{m} - {rival}", *(difference(scores(d, m) - scores(d, rival)) for d in names)]
            for m, rival in product(RECTIFIED, (ADJUSTED, SAMPLED))
        ],
    )
    if len(score) < len(DATA) * len(SPLITS) * len(METHODS):
        print(f"UNFINISHED: {len(score)} of {len(DATA) * len(SPLITS) * len(METHODS)} fits.")


def difference(values: np.ndarray) -> str:
    """Write paired differences in points, and how many are above and below 0."""
    values = 100 * values[~np.isnan(values)]
    if not len(values):
        return "-"
    deviation = values.std(ddof=len(values) > 1)
    won, lost = (values > 0).sum(), (values < 0).sum()
    return f"{values.mean():+.1f} ± {deviation:.1f} ({won}-{lost})"


if __name__ == "__main__":
    main()
