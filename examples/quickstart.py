"""One small network, six ways to train it on imbalanced data.

Two data sets that come with scikit-learn are made imbalanced, in their training part only:

- digits: the ten classes follow the paper's power law, from 120 samples down to 6; which digit is
  common and which is rare is drawn anew for every split;
- breast cancer: of the malignant samples 13 are kept beside 250 benign ones, 5 %.

The test part stays as it is. The same network is trained on them with plain cross-entropy, class
weights, random oversampling, SMOTE, logit adjustment, and class rectification, which by default
is followed by logit adjustment: the last two lines of a table differ by class rectification alone.
Printed are the class-balanced accuracy (the mean of the sensitivities of all classes), the
sensitivities, and a grid search over `eta` and `kappa`; one figure is saved.

    pip install "sk-crl[examples]"
    python examples/quickstart.py

The number of epochs was chosen by the training data: by then all six fit them. A method's best
moment may come earlier: try `--epochs 10`.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline
from joblib import Parallel, delayed
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedStratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.preprocessing import StandardScaler

from sk_crl import CRLClassifier

N_SPLITS = 20
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "quickstart.png"
COLORS = {"cross-entropy": "#888888", "SMOTE": "#E69F00", "CRL": "#0072B2"}


def make_methods(epochs):
    """Make the six pipelines, by name."""

    def pipeline(*sampler, **settings):
        network = CRLClassifier(
            **settings,
            module__hidden_units=(100,),
            max_epochs=epochs,
            lr=3e-3,
            batch_size=128,
            random_state=0,
        )
        steps = [("scaler", StandardScaler()), *sampler, ("crl", network)]
        return Pipeline(steps)

    plain = {"alpha": 0, "logit_adjustment": None}  # no class rectification, prior kept
    copies = ("sampler", RandomOverSampler(random_state=0))
    smote = ("sampler", SMOTE(k_neighbors=5, random_state=0))  # the rarest class has 6 samples
    return {
        "cross-entropy": pipeline(**plain),
        "class weights": pipeline(**plain, class_weight="balanced"),
        "oversampling": pipeline(copies, **plain),
        "SMOTE": pipeline(smote, **plain),
        "logit adjustment": pipeline(alpha=0),
        "CRL": pipeline(),
    }


class Data(NamedTuple):
    """A data set with its splits: training rows, test rows, classes from largest to smallest."""

    name: str
    X: np.ndarray
    y: np.ndarray
    sizes: list
    splits: list


def load_data():
    """Load both data sets; split them, and thin the training parts."""
    sizes = power_law(n_classes=10, largest=120, smallest=6)
    digits = split("digits", *load_digits(return_X_y=True), sizes, classes=None)
    benign_first = [1, 0]
    cancer = split("breast cancer", *load_breast_cancer(return_X_y=True), [250, 13], benign_first)
    return digits, cancer


def power_law(n_classes, largest, smallest):
    """Sizes of the classes under the paper's power law: f(i) = a / (i + b), i = 1, 2, ..."""
    b = (n_classes * smallest - largest) / (largest - smallest)
    return np.rint(largest * (1 + b) / (np.arange(1, n_classes + 1) + b)).astype(int).tolist()


def split(name, X, y, sizes, classes):
    """Split 70 to 30, stratified; keep `sizes` training samples of `classes`, or of any order."""
    splits = []
    halves = StratifiedShuffleSplit(N_SPLITS, test_size=0.3, random_state=0).split(X, y)
    for seed, (train, test) in enumerate(halves):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(sizes)) if classes is None else classes
        kept = [
            rng.choice(train[y[train] == c], n, replace=False)
            for c, n in zip(order, sizes, strict=True)
        ]
        splits.append((np.concatenate(kept), test, order))
    return Data(name, X, y, sizes, splits)


def compare(data, methods, jobs):
    """Fit every method on every split; return sensitivities (methods, splits, classes) in %."""

    def sensitivities(model, train, test, order):
        predicted = model.fit(data.X[train], data.y[train]).predict(data.X[test])
        return 100 * recall_score(data.y[test], predicted, labels=order, average=None)

    found = Parallel(jobs)(
        delayed(sensitivities)(model, *split) for model in methods.values() for split in data.splits
    )
    return np.reshape(found, (len(methods), N_SPLITS, len(data.sizes)))


def report(data, methods, found):
    """Print both tables of a data set."""
    scores = found.mean(axis=2)
    print(f"\n{data.name}: class-balanced accuracy (%), mean ± standard deviation of the splits,")
    print("and how far CRL is ahead in the same split\n")
    print(f"{'':18}{'accuracy':>13}{'CRL ahead by':>17}{'in splits':>14}")
    for name, own in zip(methods, scores, strict=True):
        line = f"{name:18}{own.mean():6.1f} ± {own.std():4.1f}"
        if name != "CRL":
            ahead = scores[-1] - own
            line += f"{ahead.mean():+10.1f} ± {ahead.std():4.1f}"
            line += f"{np.sum(ahead > 0):8} of {N_SPLITS}"
        print(line)
    print(f"\n{data.name}: sensitivity (%) by number of training samples of the class\n")
    print(f"{'':18}" + "".join(f"{n:6}" for n in data.sizes))
    for name, own in zip(methods, found, strict=True):
        print(f"{name:18}" + "".join(f"{s:6.1f}" for s in own.mean(axis=0)))


def draw(results, methods, path):
    """Draw every method's accuracy on every split, and sensitivity by class size on digits."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
    for axes, (data, found) in zip((left, middle), results, strict=True):
        jitter = np.random.default_rng(0).uniform(-0.17, 0.17, N_SPLITS)
        for row, (name, scores) in enumerate(zip(methods, found.mean(axis=2), strict=True)):
            color = COLORS.get(name, "#333333")
            axes.scatter(scores, row + jitter, s=11, color=color, alpha=0.55, linewidth=0)
            axes.plot(2 * [scores.mean()], [row - 0.34, row + 0.34], color=color, linewidth=2.5)
        axes.set_yticks(range(len(methods)), methods if axes is left else [])
        axes.invert_yaxis()
        axes.set_title(data.name, loc="left")
        axes.set_xlabel("class-balanced accuracy (%)")
        axes.grid(axis="x", alpha=0.3)

    data, found = results[0]
    for name, color in COLORS.items():
        own = found[list(methods).index(name)]
        error = own.std(axis=0) / np.sqrt(N_SPLITS)
        right.errorbar(data.sizes, own.mean(axis=0), error, color=color, marker="o", markersize=4)
        right.annotate(name, (data.sizes[-1], own.mean(axis=0)[-1]), color=color)
    right.set_xscale("log")
    right.set_xticks([6, 10, 20, 40, 120], [6, 10, 20, 40, 120])
    right.minorticks_off()
    right.set_title("digits", loc="left")
    right.set_xlabel("training samples of the class")
    right.set_ylabel("sensitivity (%)")
    right.grid(alpha=0.3)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=180)
    print(f"\nFigure saved to {path}.")


def search(data, methods, jobs):
    """Search eta and kappa on one training part by cross-validation; judge them on its test."""
    train, test, _ = data.splits[0]
    etas, kappas = (0, 0.25, 0.5, 1), (1, 5, 25)
    grid = GridSearchCV(
        methods["CRL"],
        {"crl__eta": etas, "crl__kappa": kappas},
        scoring="balanced_accuracy",
        cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=4, random_state=0),
        n_jobs=jobs,
    ).fit(data.X[train], data.y[train])

    columns = ("params", "mean_test_score", "std_test_score")
    rows = zip(*(grid.cv_results_[column] for column in columns), strict=True)
    cells = {
        (p["crl__eta"], p["crl__kappa"]): f"{100 * mean:.1f} ± {100 * std:.1f}"
        for p, mean, std in rows
    }
    print(f"\n{data.name}: grid search on the first training part, class-balanced accuracy (%),")
    print("mean ± standard deviation of 12 folds; eta = 0 switches class rectification off\n")
    print("".join(f"{f'kappa = {kappa}':>15}" for kappa in kappas).rjust(12 + 45))
    for eta in etas:
        print(f"{f'eta = {eta}':12}" + "".join(f"{cells[eta, kappa]:>15}" for kappa in kappas))
    print(f"\nbest: {grid.best_params_}")
    default = methods["CRL"].fit(data.X[train], data.y[train])
    for name, model in {"best": grid, "defaults": default}.items():
        score = balanced_accuracy_score(data.y[test], model.predict(data.X[test]))
        print(f"test part of this split, {name}: {100 * score:.1f}")


def main():
    """Compare, print, draw, search."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--figure", type=Path, default=FIGURE, help="where to save the figure")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=60, help="default: %(default)s")
    arguments = parser.parse_args()
    start = time.perf_counter()
    methods = make_methods(arguments.epochs)
    results = []
    for data in load_data():
        results.append((data, compare(data, methods, arguments.jobs)))
        report(data, methods, results[-1][1])
    draw(results, methods, arguments.figure)
    search(results[0][0], methods, arguments.jobs)
    print(f"\nRun time: {time.perf_counter() - start:.0f} s with {arguments.jobs} jobs.")


if __name__ == "__main__":
    main()
