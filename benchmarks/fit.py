"""Time of `fit` and `predict_proba` beside scikit-learn's MLPClassifier and plain skorch.

One job for all: 20,000 samples, 20 features, 3 classes (80, 15 and 5 %); a hidden layer of 100
units; Adam at 1e-3; shuffled batches of 128; 5 epochs; one thread. The methods take turns, so that
every repeat pairs them, and a ratio is taken within a repeat: the tables show the medians over the
repeats, and the least and the greatest.

    python benchmarks/fit.py
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import numpy as np
import torch
from common import add_timing_options, interleaved, print_table, spread, use_one_thread
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch import nn

from sk_crl import CRLClassifier

EPOCHS = 5
BATCH_SIZE = 128
LEARNING_RATE = 1e-3
HIDDEN_UNITS = 100
REFERENCE = "scikit-learn MLPClassifier"


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_timing_options(parser, repeats=9)
    arguments = parser.parse_args()
    use_one_thread()
    warnings.simplefilter("ignore", ConvergenceWarning)  # five epochs are not meant to converge
    X, y = make_data()

    fits = {name: make_fit(name, make, X, y) for name, make in MODELS.items()}
    how = f"{arguments.repeats} repeats, {arguments.clock} time"
    print(f"`fit`, {EPOCHS} epochs of {len(X)} samples, {how}:\n")
    print_times(interleaved(fits, arguments.repeats, arguments.clock))

    names = ("CRLClassifier(alpha=0.3, kappa=25)", REFERENCE)
    predictions = {name: fits[name]().predict_proba for name in names}
    calls = {name: lambda predict=predict: predict(X) for name, predict in predictions.items()}
    print(f"`predict_proba`, {len(X)} samples, {how}:\n")
    print_times(interleaved(calls, arguments.repeats, arguments.clock))


def make_data() -> tuple[np.ndarray, np.ndarray]:
    """Make three classes of unequal size."""
    X, y = make_classification(
        20_000,
        20,
        n_informative=10,
        n_classes=3,
        weights=[0.8, 0.15, 0.05],
        random_state=0,
    )
    return X.astype(np.float32), y.astype(np.int64)


def make_crl(**settings) -> CRLClassifier:
    """Make the classifier of this package."""
    return CRLClassifier(
        **settings,
        module__hidden_units=(HIDDEN_UNITS,),
        max_epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        lr=LEARNING_RATE,
        device="cpu",
        random_state=0,
    )


def make_mlp() -> MLPClassifier:
    """Make scikit-learn's network."""
    return MLPClassifier(
        (HIDDEN_UNITS,),
        batch_size=BATCH_SIZE,
        learning_rate_init=LEARNING_RATE,
        max_iter=EPOCHS,
        random_state=0,
    )


def make_skorch() -> NeuralNetClassifier:
    """Make a skorch net as its users do."""
    return NeuralNetClassifier(
        nn.Sequential(nn.Linear(20, HIDDEN_UNITS), nn.ReLU(), nn.Linear(HIDDEN_UNITS, 3)),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=LEARNING_RATE,
        batch_size=BATCH_SIZE,
        max_epochs=EPOCHS,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


MODELS = {
    REFERENCE: make_mlp,
    "CRLClassifier(alpha=0)": lambda: make_crl(alpha=0),
    "CRLClassifier(alpha=0.3, kappa=25)": lambda: make_crl(alpha=0.3, kappa=25),
    "skorch NeuralNetClassifier": make_skorch,
}


def make_fit(name: str, make: Callable, X: np.ndarray, y: np.ndarray) -> Callable:
    """Make the call that builds and fits a model, and check that it took every epoch."""

    def fit():
        model = make().fit(X, y)
        n_epochs = len(model.history) if hasattr(model, "history") else model.n_iter_
        if n_epochs != EPOCHS:
            raise RuntimeError(f"{name} trained {n_epochs} epochs, not {EPOCHS}.")
        return model

    return fit


def print_times(times: dict[str, np.ndarray]) -> None:
    """Print median times, and their ratios to the reference's of the same repeat."""
    print_table(
        ["method", "seconds", "ratio to MLPClassifier, median [least, greatest]"],
        [
            [name, f"{np.median(seconds):.4f}", spread(seconds / times[REFERENCE])]
            for name, seconds in times.items()
        ],
    )


if __name__ == "__main__":
    main()
