"""One small network, six ways to train it on imbalanced data.

Two data sets that come with scikit-learn are made imbalanced, in their training part only; the
test part stays as it is.

- digits: the ten classes follow the paper's power law, from 120 training samples down to 6. The
  digits take turns: in the twenty splits each of them has every size twice.
- breast cancer: 13 malignant training samples, 5 %, beside 250 benign ones.

The same network is trained with plain cross-entropy, class weights, random oversampling, SMOTE,
logit adjustment, and class rectification (CRL). CRL includes logit adjustment, which is on by
default: what class rectification itself adds is the difference between these last two.

    pip install ".[examples]"
    python examples/quickstart.py

It prints class-balanced accuracies (the mean of the sensitivities of all classes), the
sensitivities, and a grid search over `eta` and `kappa`, and saves one figure.

After sixty epochs the network has fitted its training data, whatever the method. That is not every
method's best moment: with `--epochs 10` class weights and oversampling get further on breast cancer
than anything does here, while the methods that adjust logits are not yet ready.
"""

import argparse
from pathlib import Path
from time import perf_counter

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline
from joblib import Parallel, delayed
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold, StratifiedShuffleSplit
from sklearn.preprocessing import StandardScaler

from sk_crl import CRLClassifier

N_SPLITS = 20
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "quickstart.png"
COLORS = {  # color-blind safe (Okabe and Ito)
    "cross-entropy": "#777777",
    "class weights": "#CC79A7",
    "oversampling": "#56B4E9",
    "SMOTE": "#E69F00",
    "logit adjustment": "#009E73",
    "CRL": "#0072B2",
}


def make_methods(epochs):
    """Make the pipelines to compare, by name."""

    def pipeline(*sampler, **settings):
        network = CRLClassifier(
            n_members=1,
            **settings,
            module__hidden_units=(100,),
            max_epochs=epochs,
            batch_size=128,
            lr=3e-3,
            random_state=0,
        )
        return Pipeline([("scaler", StandardScaler()), *sampler, ("crl", network)])

    plain = {"alpha": 0, "logit_adjustment": None}  # without class rectification: cross-entropy
    smote = SMOTE(k_neighbors=5, random_state=0)  # the rarest digit has 6 samples
    return {
        "cross-entropy": pipeline(**plain),
        "class weights": pipeline(**plain, class_weight="balanced"),
        "oversampling": pipeline(("sampler", RandomOverSampler(random_state=0)), **plain),
        "SMOTE": pipeline(("sampler", smote), **plain),
        "logit adjustment": pipeline(alpha=0),
        "CRL": pipeline(),
    }


def power_law(n_classes, largest, smallest):
    """Compute class sizes under the paper's power law, f(i) = a / (i + b) for i = 1, 2, ..."""
    b = (n_classes * smallest - largest) / (largest - smallest)
    a = largest * (1 + b)
    return [round(a / (i + b)) for i in range(1, n_classes + 1)]


def imbalanced_splits(X, y, sizes, take_turns):
    """Yield the training rows, the test rows, and the classes from the largest to the smallest."""
    splits = StratifiedShuffleSplit(N_SPLITS, test_size=0.3, random_state=0).split(X, y)
    for i, (train, test) in enumerate(splits):
        classes = np.roll(np.arange(len(sizes)), i if take_turns else 0)
        # The rows come shuffled: the first of a class are a random choice.
        kept = [train[y[train] == c][:size] for c, size in zip(classes, sizes, strict=True)]
        yield np.concatenate(kept), test, classes


def sensitivities(model, X, y, train, test, classes):
    """Fit on one split; return the sensitivities (%), those of the largest class first."""
    predicted = model.fit(X[train], y[train]).predict(X[test])
    return 100 * recall_score(y[test], predicted, labels=classes, average=None)


def report(data, sizes, results):
    """Print both tables of a data set."""
    crl = results["CRL"].mean(axis=1)
    print(f"\n{data}: class-balanced accuracy (%), mean ± standard deviation of {N_SPLITS} splits;")
    print("what CRL gains over the method in the same split; splits that CRL wins and loses\n")
    print(f"{'':16}{'accuracy':>14}{'CRL gains':>14}{'won':>7}{'lost':>6}")
    for name, values in results.items():
        own = values.mean(axis=1)
        gain = crl - own
        print(f"{name:16}{own.mean():8.1f} ± {own.std():3.1f}", end="")
        if name != "CRL":
            print(f"{gain.mean():+8.1f} ± {gain.std():3.1f}", end="")
            print(f"{(gain > 0).sum():7}{(gain < 0).sum():6}", end="")
        print()
    print(f"\n{data}: sensitivity (%) of classes with so many training samples\n")
    print(f"{'':16}" + "".join(f"{size:7}" for size in sizes))
    for name, values in results.items():
        print(f"{name:16}" + "".join(f"{value:7.1f}" for value in values.mean(axis=0)))


def draw(digits, cancer, sizes, path):
    """Draw the accuracy of every method on every split, and the sensitivities on the digits."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for axes, results in (left, digits), (middle, cancer):
        for row, (name, values) in enumerate(results.items()):
            own, height = values.mean(axis=1), row + np.linspace(-0.25, 0.25, N_SPLITS)
            axes.scatter(own, height, s=16, color=COLORS[name], alpha=0.6, linewidths=0)
            axes.plot(2 * [own.mean()], [row - 0.36, row + 0.36], color=COLORS[name], linewidth=2.5)
        axes.set(ylim=(len(results) - 0.5, -0.5))
        axes.set_xlabel("class-balanced accuracy (%)\n(dots: splits, bar: their mean)")
        axes.set_yticks(range(len(results)), results if axes is left else len(results) * [""])
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", integer=True)
    for name in ("logit adjustment", "CRL", "SMOTE", "cross-entropy"):
        broad = {"linewidth": 6, "alpha": 0.4}  # lets the line upon it be seen
        style = broad if name == "logit adjustment" else {"marker": "o", "markersize": 4}
        right.plot(sizes, digits[name].mean(axis=0), label=name, color=COLORS[name], **style)
    right.set(xscale="log", xlabel="training samples of the class", ylabel="sensitivity (%)")
    right.set_xticks([6, 10, 20, 40, 120], [6, 10, 20, 40, 120])
    right.minorticks_off()
    right.legend(loc="lower right", frameon=False)
    titles = ("a  digits", "b  breast cancer", "c  digits, by class size")
    for axes, title in zip((left, middle, right), titles, strict=True):
        axes.set_title(title, loc="left", fontsize="medium", fontweight="bold")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y" if axes is right else "x", alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=180)
    print(f"\nFigure: {path}")


def search(model, X, y, train, test, jobs):
    """Search eta and kappa by cross-validation in a training part; judge them on its test part."""
    etas, kappas = [0, 0.25, 0.5, 1], [1, 5, 25]
    found = GridSearchCV(
        model,
        {"crl__eta": etas, "crl__kappa": kappas},
        scoring="balanced_accuracy",
        cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0),
        n_jobs=jobs,
    ).fit(X[train], y[train])

    print("\nbreast cancer: grid search in the training part of the first split; class-balanced")
    print("accuracy (%), mean ± standard deviation of 9 folds; eta = 0 is logit adjustment alone\n")
    print(f"{'':10}" + "".join(f"{f'kappa = {kappa}':>14}" for kappa in kappas))
    scores = [found.cv_results_[f"{what}_test_score"] for what in ("mean", "std")]
    scores = 100 * np.reshape(scores, (2, len(etas), len(kappas)))  # kappa varies fastest
    for eta, means, stds in zip(etas, *scores, strict=True):
        row = (f"{mean:8.1f} ± {std:3.1f}" for mean, std in zip(means, stds, strict=True))
        print(f"eta = {eta:<4}" + "".join(row))
    best, defaults = (
        100 * balanced_accuracy_score(y[test], fitted.predict(X[test]))
        for fitted in (found, model.fit(X[train], y[train]))
    )
    print(f"\nBest: {found.best_params_}")
    print(f"On the test part of this split: best {best:.1f}, defaults {defaults:.1f}")


def main():
    """Compare the methods on both data sets, draw, search."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--figure", type=Path, default=FIGURE, help="where to save the figure")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--epochs", type=int, default=60, help="of training (default: 60)")
    arguments = parser.parse_args()
    start = perf_counter()

    methods = make_methods(arguments.epochs)
    sizes = {"digits": power_law(10, 120, 6), "breast cancer": [250, 13]}
    X, benign = load_breast_cancer(return_X_y=True)
    data = {"digits": load_digits(return_X_y=True), "breast cancer": (X, 1 - benign)}
    results = {}
    for name, (X, y) in data.items():
        splits = list(imbalanced_splits(X, y, sizes[name], take_turns=name == "digits"))
        values = Parallel(arguments.jobs)(
            delayed(sensitivities)(model, X, y, *split)
            for model in methods.values()
            for split in splits
        )
        values = np.reshape(values, (len(methods), N_SPLITS, len(sizes[name])))
        results[name] = dict(zip(methods, values, strict=True))
        report(name, sizes[name], results[name])
    draw(*results.values(), sizes["digits"], arguments.figure)

    train, test, _ = splits[0]  # like X and y, of the loop's last data set: breast cancer
    search(methods["CRL"], X, y, train, test, arguments.jobs)
    print(f"\nRun time: {perf_counter() - start:.0f} s after imports, with --jobs {arguments.jobs}")


if __name__ == "__main__":
    main()
