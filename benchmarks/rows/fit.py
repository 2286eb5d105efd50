"""Rows: fitting and predicting beside scikit-learn, skorch and loops of one's own.

One table for all: 20,000 samples, 20 features, 3 classes (80, 15 and 5 %). The network, Adam at
1e-3, shuffled batches and five epochs are the same for every method, and so is the training loss
that those without rectification must reach, roughly: one that learned much less is found out.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from common import skip
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from timing import Method, Row, Setting, compare, threads
from torch import nn
from torch.nn.functional import cross_entropy

from sk_crl import CRLClassifier

N_FEATURES = 20
N_CLASSES = 3
EPOCHS = 5
LEARNING_RATE = 1e-3
N_PREDICTED = 200_000
LOSS_TOLERANCE = 0.25  # relative; scikit-learn starts from other weights than PyTorch


class Job(NamedTuple):
    """What to train: the hidden layers and the samples of a batch."""

    hidden_units: tuple[int, ...]
    batch_size: int

    def __str__(self) -> str:
        layers = "x".join(map(str, self.hidden_units))
        return f"fit, 20,000 x 20, hidden {layers}, batch {self.batch_size}, {EPOCHS} epochs"


NARROW = Job((100,), 128)
WIDE = Job((256, 256), 512)


def fit_rows(setting: Setting) -> Iterator[Row]:
    """Measure fitting a narrow network, beside everybody."""
    others = {"skorch NeuralNetClassifier": skorch_net, **LOOPS}
    yield from compare_fits(NARROW, f"{NARROW}", (1.0, 1.4), others, setting)


def wide_fit_rows(setting: Setting) -> Iterator[Row]:
    """Measure fitting a wide network, on one thread and on two."""
    for n_threads, told in {1: "one thread", 2: "two threads"}.items():
        if n_threads > (os.cpu_count() or 1):
            skip(f"{WIDE}, {told}", "the machine has a single processor")
            continue
        with threads(n_threads):
            others = {TUNED_LOOP: LOOPS[TUNED_LOOP]}
            yield from compare_fits(WIDE, f"{WIDE}, {told}", (0.7, 0.8), others, setting)


def predict_rows(setting: Setting) -> Iterator[Row]:
    """Measure the probabilities of many samples."""
    X, y = make_data()
    many = np.resize(X, (N_PREDICTED, N_FEATURES))
    models = {"MLPClassifier": mlp(NARROW, setting), "CRLClassifier": crl(NARROW, setting)}
    calls = {name: partial(fitted(m, X, y).predict_proba, many) for name, m in models.items()}
    for name, call in calls.items():
        probabilities = call()
        if probabilities.shape != (N_PREDICTED, N_CLASSES):
            raise RuntimeError(f"{name} predicted probabilities of shape {probabilities.shape}.")
        np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    peer, ours = (Method(name, call) for name, call in calls.items())
    yield from compare("predict_proba, 200,000 x 20", peer, [ours._replace(goal=0.8)], setting)


def compare_fits(
    job: Job,
    work: str,
    goals: tuple[float, float],
    others: dict[str, Callable],
    setting: Setting,
) -> Iterator[Row]:
    """Measure our classifier, without rectification and with it, and others beside MLPClassifier.

    Every method is a function of job and setting that makes an estimator, or of a loop's.
    """
    X, y = make_data()
    ours = {
        "CRLClassifier(alpha=0)": partial(crl, alpha=0.0),
        "CRLClassifier(alpha=0.3, kappa=25)": crl,
    }
    makers = {"MLPClassifier": mlp, **ours, **others}
    fits = {
        name: partial(fit_and_check, name, make, job, setting, X, y)
        for name, make in makers.items()
    }
    reached = {name: fit() for name, fit in fits.items()}
    for name in fits.keys() - {"CRLClassifier(alpha=0.3, kappa=25)"}:
        if abs(reached[name] / reached["MLPClassifier"] - 1) > LOSS_TOLERANCE:
            raise RuntimeError(f"Unequal work: {name} reached another training loss in {reached}.")
    goal_of = dict(zip(ours, goals, strict=True))
    peer, *methods = (Method(name, fit, goal_of.get(name)) for name, fit in fits.items())
    yield from compare(work, peer, methods, setting)


def make_data() -> tuple[np.ndarray, np.ndarray]:
    """Make three classes of unequal size."""
    X, y = make_classification(
        20_000,
        N_FEATURES,
        n_informative=10,
        n_classes=N_CLASSES,
        weights=[0.8, 0.15, 0.05],
        random_state=0,
    )
    return X.astype(np.float32), y.astype(np.int64)


def fitted(model, X: np.ndarray, y: np.ndarray):
    """Fit; five epochs are not meant to converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def fit_and_check(
    name: str, make: Callable, job: Job, setting: Setting, X: np.ndarray, y: np.ndarray
) -> float:
    """Make and fit a model, check that it took every epoch, and return the last one's loss."""
    losses = loss_curve(fitted(make(job, setting), X, y))
    if len(losses) != EPOCHS:
        raise RuntimeError(f"{name} trained {len(losses)} epochs, not {EPOCHS}.")
    return losses[-1]


def loss_curve(model) -> list[float]:
    """List the training losses of the epochs."""
    if isinstance(model, NeuralNetClassifier):
        return model.history[:, "train_loss"]
    return model.loss_curve_


# The methods.


def crl(job: Job, setting: Setting, alpha: float = 0.3) -> CRLClassifier:
    """Make the classifier of this package."""
    return CRLClassifier(
        n_members=1,
        alpha=alpha,
        kappa=25,
        module__hidden_units=job.hidden_units,
        max_epochs=EPOCHS,
        batch_size=job.batch_size,
        lr=LEARNING_RATE,
        device=setting.device,
        random_state=0,
    )


def mlp(job: Job, setting: Setting) -> MLPClassifier:
    """Make scikit-learn's network, which knows no device but the CPU."""
    return MLPClassifier(
        job.hidden_units,
        batch_size=job.batch_size,
        learning_rate_init=LEARNING_RATE,
        max_iter=EPOCHS,
        random_state=0,
    )


def skorch_net(job: Job, setting: Setting) -> NeuralNetClassifier:
    """Make a skorch net as its users do."""
    return NeuralNetClassifier(
        network(job),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=LEARNING_RATE,
        batch_size=job.batch_size,
        max_epochs=EPOCHS,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=setting.device,
    )


class Loop:
    """A training loop as one writes it, with the face of a model.

    Parameters
    ----------
    job : Job
        What to train.
    setting : Setting
        Where.
    tuned : bool
        Whether to shuffle once an epoch, take batches by `split`, and fuse Adam's steps.
    """

    def __init__(self, job: Job, setting: Setting, tuned: bool):
        self.job = job
        self.device = setting.device
        self.tuned = tuned

    def fit(self, X: np.ndarray, y: np.ndarray) -> Loop:
        """Train."""
        X, y = torch.from_numpy(X).to(self.device), torch.from_numpy(y).to(self.device)
        net = network(self.job).to(self.device)
        optimizer = torch.optim.Adam(net.parameters(), LEARNING_RATE, fused=self.tuned or None)
        self.loss_curve_ = []
        for _ in range(EPOCHS):
            total = torch.zeros((), device=self.device)
            for X_batch, y_batch in self.batches(X, y):
                optimizer.zero_grad()
                loss = cross_entropy(net(X_batch), y_batch)
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(X_batch)
            self.loss_curve_.append(total.item() / len(X))
        return self

    def batches(
        self, X: torch.Tensor, y: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Shuffle, and hand out the batches of an epoch."""
        order = torch.randperm(len(X), device=self.device)
        size = self.job.batch_size
        if self.tuned:
            yield from zip(X[order].split(size), y[order].split(size), strict=True)
        else:
            for rows in order.split(size):
                yield X[rows], y[rows]


def network(job: Job) -> nn.Sequential:
    """Build the network that all methods train."""
    widths = (N_FEATURES, *job.hidden_units)
    layers = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(widths[-1], N_CLASSES))


TUNED_LOOP = "PyTorch loop: one shuffle an epoch, split, fused Adam"
LOOPS = {
    "PyTorch loop": partial(Loop, tuned=False),
    TUNED_LOOP: partial(Loop, tuned=True),
}
