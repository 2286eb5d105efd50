"""One model for all targets beside one model for each, on four tables and on images.

Tables: 60 % of the rows train, five iteratively stratified splits; missing features are imputed by
their medians and all are scaled. Images: product photos of 32 x 32 pixels in their given split; our
models share one network of three convolutions, the rivals see flattened pixels, and every network
trains for five epochs. "Per target" is scikit-learn's MultiOutputClassifier, but for labels that
are missing, which it refuses: there every target learns from the rows that have its label.

The score is the mean over targets of the balanced accuracies, on the rows left out; the seconds are
those of training on one thread.

    python benchmarks/multi_output.py --data FOLDER     # fit what is missing, append to the CSV
    python benchmarks/multi_output.py --report          # print the tables of what the CSV holds
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

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
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl.metrics import balanced_accuracy_score
from sk_crl.model_selection import MultiOutputStratifiedShuffleSplit
from sk_crl.networks import Branches

TABLES = ("mo_thyroid_l7", "mo_water_quality", "mo_cardiotocography", "ml_yeast")
IMAGES = "fashion_products_32"
N_SPLITS = 5
MISSING = -1
RESULTS = Path(__file__).parent / "results" / "multi_output.csv"


class Part(NamedTuple):
    """The training or the test part of a data set."""

    X: NDArray
    Y: NDArray


class PerTarget(BaseEstimator):
    """One clone of a classifier for every target, each on the rows that have its label.

    On complete labels this is scikit-learn's MultiOutputClassifier, which takes no others.
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, Y):
        """Fit a clone for every target."""
        self.estimators_ = [
            clone(self.estimator).fit(X[y != MISSING], y[y != MISSING]) for y in Y.T
        ]
        return self

    def predict(self, X):
        """Predict every target."""
        return np.column_stack([estimator.predict(X) for estimator in self.estimators_])


class SmallCNN(nn.Module):
    """Three convolutions, then a branch for every target."""

    def __init__(self, n_classes: int | tuple[int, ...], width: int = 16):
        super().__init__()
        channels = [3, width, 2 * width, 4 * width]
        blocks = [
            nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2),
            )
            for before, after in pairwise(channels)
        ]
        self.trunk = nn.Sequential(*blocks, nn.Flatten())
        n_classes = n_classes if isinstance(n_classes, tuple) else (n_classes,)
        self.branches = Branches(channels[-1] * 4 * 4, n_classes)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and features."""
        return self.branches(self.trunk(X))


def networks(**settings) -> dict[str, Callable[[int], BaseEstimator]]:
    """Make our methods, by name; each takes a seed."""
    common = {"n_members": 1, "device": "cpu", **settings}
    together = {"missing_label": MISSING, **common}
    return {
        "MultiOutputCRLClassifier": lambda seed: MultiOutputCRLClassifier(
            random_state=seed, **together
        ),
        "the same, alpha=0": lambda seed: MultiOutputCRLClassifier(
            alpha=0.0, random_state=seed, **together
        ),
        "the same, logit_adjustment='loss'": lambda seed: MultiOutputCRLClassifier(
            logit_adjustment="loss", random_state=seed, **together
        ),
        "the same, early_stopping=True": lambda seed: MultiOutputCRLClassifier(
            early_stopping=True, random_state=seed, **together
        ),
        "a CRLClassifier per target": lambda seed: PerTarget(
            CRLClassifier(random_state=seed, **common)
        ),
    }


FOREST = "a forest per target, class_weight='balanced'"
MLP = "an MLPClassifier per target"


def rivals(max_epochs: int) -> dict[str, Callable[[int], BaseEstimator]]:
    """Make scikit-learn's methods, by name; each takes a seed."""
    return {
        FOREST: lambda seed: PerTarget(
            RandomForestClassifier(class_weight="balanced", random_state=seed)
        ),
        MLP: lambda seed: PerTarget(MLPClassifier(max_iter=max_epochs, random_state=seed)),
    }


FOR_TABLES = networks() | rivals(max_epochs=100)
FOR_IMAGES = networks(module=SmallCNN, max_epochs=5) | rivals(max_epochs=5)
# Five epochs are few: what more of them, or less rectification, make of it.
LONGER = {
    "15 epochs": {"max_epochs": 15},
    "15 epochs, alpha=0": {"max_epochs": 15, "alpha": 0.0},
    "5 epochs, eta=0.1": {"max_epochs": 5, "eta": 0.1},
}
FOR_IMAGES |= {
    f"MultiOutputCRLClassifier, {name}": lambda seed, settings=settings: MultiOutputCRLClassifier(
        SmallCNN, device="cpu", missing_label=MISSING, random_state=seed, **settings
    )
    for name, settings in LONGER.items()
}


def main() -> None:
    """Read the command line; fit or report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_data_option(parser)
    parser.add_argument("--out", type=Path, default=RESULTS, help="CSV of the results")
    parser.add_argument("--report", action="store_true", help="print tables; fit nothing")
    arguments = parser.parse_args()
    if arguments.report:
        report(arguments.out)
        return
    use_one_thread()
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name in TABLES:
        path = find_data(arguments.data, f"multioutput/{name}.npz")
        if path is not None:
            for split in range(N_SPLITS):
                run(name, split, load_table(path, split), FOR_TABLES, arguments.out)
    path = find_data(arguments.data, f"images/{IMAGES}.npz")
    if path is not None:
        run(IMAGES, 0, load_images(path), FOR_IMAGES, arguments.out)


# Fitting.


def load_table(path: Path, split: int) -> tuple[Part, Part]:
    """Load a table and split it; impute and scale by the training part."""
    with np.load(path) as file:
        X, Y = file["X"], file["Y"].astype(int)
    splitter = MultiOutputStratifiedShuffleSplit(1, test_size=0.4, random_state=split)
    ((train, test),) = splitter.split(X, Y)
    prepare = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(X[train])
    return Part(prepare.transform(X[train]), Y[train]), Part(prepare.transform(X[test]), Y[test])


def load_images(path: Path) -> tuple[Part, Part]:
    """Load the images in their given split."""
    with np.load(path) as file:
        X = file["X"].astype(np.float32) / 255
        Y, split = file["Y"].astype(int), file["split"]
    return Part(X[split == 0], Y[split == 0]), Part(X[split == 2], Y[split == 2])


def run(data: str, split: int, parts: tuple[Part, Part], methods: dict, path: Path) -> None:
    """Do the fits of one split that have no line yet."""
    done = {(row["data"], row["split"], row["method"]) for row in read_results(path)}
    for method, make in methods.items():
        if (data, str(split), method) in done:
            continue
        train, test = (flattened(part) if method in (FOREST, MLP) else part for part in parts)
        start = perf_counter()
        model = make(split).fit(train.X, train.Y)
        seconds = perf_counter() - start
        score = balanced_accuracy_score(test.Y, model.predict(test.X), missing_label=MISSING)
        row = {"data": data, "split": split, "method": method}
        append_result(path, row | {"score": f"{score:.6f}", "seconds": f"{seconds:.2f}"})
        print(f"{data}, split {split}, {method}: {score:.3f} in {seconds:.1f} s", flush=True)


def flattened(part: Part) -> Part:
    """Lay images out as rows of a table."""
    return Part(part.X.reshape(len(part.X), -1), part.Y)


# The report.


def report(path: Path) -> None:
    """Print scores and training times."""
    results = read_results(path)
    data = [name for name in (*TABLES, IMAGES) if any(row["data"] == name for row in results)]

    def values(name: str, method: str, column: str) -> NDArray:
        found = [r[column] for r in results if r["data"] == name and r["method"] == method]
        return np.array(found, dtype=float)

    print(
        "Mean over targets of the balanced accuracies, mean ± standard deviation of the splits:\n"
    )
    print_table(
        ["", *data],
        [[m, *(mean_and_deviation(values(d, m, "score")) for d in data)] for m in FOR_IMAGES],
    )
    print("Seconds to train on one thread, median of the splits:\n")
    medians = {(d, m): values(d, m, "seconds") for d, m in product(data, FOR_IMAGES)}
    print_table(
        ["", *data],
        [
            [m, *(f"{np.median(medians[d, m]):.1f}" if len(medians[d, m]) else "-" for d in data)]
            for m in FOR_IMAGES
        ],
    )


if __name__ == "__main__":
    main()
