"""The methods: what a user would type to train them, and how their scores decide."""

from __future__ import annotations

import math
from ast import literal_eval
from typing import Any, NamedTuple

import pandas as pd
import torch
from cells import Cell
from numpy.typing import NDArray
from presets import Preset
from sklearn.frozen import FrozenEstimator
from sources import Parts
from torch import Tensor

from sk_crl import CRLClassifier, MultiOutputCRLClassifier
from sk_crl.baselines import (
    HOGKNNClassifier,
    LMLEClassifier,
    LogitAdjustedClassifier,
    MultiOutputResampledClassifier,
    PriorThresholdClassifier,
    ResampledClassifier,
    TripletKNNClassifier,
)
from sk_crl.networks import Augmented
from sk_crl.training import BatchSampler

ARG_MAX, ADJUSTED, THRESHOLD = "arg max", "prior removed", "threshold"
TOP_5 = "top 5"  # of a group of binary targets


class SameLength(BatchSampler):
    """Epochs of so many samples, from shuffled passes over all of them that go on across epochs.

    Over-sampled data have many times the samples and down-sampled data few of them: with this,
    all methods take the same steps, an epoch and its learning rate.

    Parameters
    ----------
    n : int
        Samples in an epoch.
    seed : int
        Source of the passes' orders.
    """

    def __init__(self, n: int, seed: int):
        self.n = n
        self.seed = seed

    def order(
        self, codes: Tensor, batch_size: int, epoch: int, n_epochs: int, generator: torch.Generator
    ) -> Tensor:
        """Take the next stretch of the passes."""
        first, last = epoch * self.n // len(codes), ((epoch + 1) * self.n - 1) // len(codes)
        passes = torch.cat([self._pass(number, len(codes)) for number in range(first, last + 1)])
        return passes[epoch * self.n - first * len(codes) :][: self.n]

    def frequencies(self, codes: Tensor, epoch: int, n_epochs: int) -> Tensor:
        """Say how often each sample is shown: equally often."""
        return torch.ones(len(codes), dtype=torch.float64)

    def _pass(self, number: int, n_samples: int) -> Tensor:
        generator = torch.Generator().manual_seed((self.seed << 32) + number)
        return torch.randperm(n_samples, generator=generator)


class Estimators(NamedTuple):
    """The classes for one target, or for several."""

    rectified: type
    resampled: type


_SINGLE = Estimators(CRLClassifier, ResampledClassifier)
_SEVERAL = Estimators(MultiOutputCRLClassifier, MultiOutputResampledClassifier)
EMBEDDINGS = ("lmle", "triplet-knn")
_DECISIONS = {"ce": (ARG_MAX, ADJUSTED, THRESHOLD), "crl": (ARG_MAX, ADJUSTED)}


class Training(NamedTuple):
    """How a method trains.

    Attributes
    ----------
    model : estimator
        Not yet fitted.
    epochs_per_fit : int
        Epochs that a call of `fit` trains for; the next one goes on.
    has_schedule : bool
        Whether every fit has a learning rate of its own.
    decisions : tuple of str
        How its scores decide.
    """

    model: Any
    epochs_per_fit: int
    has_schedule: bool
    decisions: tuple[str, ...]


def method_named(kind: str, **settings: Any) -> str:
    """Write the name of a method: its kind, then its settings in alphabetical order."""
    return " ".join([kind, *(f"{name}={settings[name]}" for name in sorted(settings))])


def _read_name(name: str) -> tuple[str, dict[str, Any]]:
    """Read a method's kind and settings."""
    kind, *pairs = name.split()
    return kind, {key: _literal(value) for key, _, value in (p.partition("=") for p in pairs)}


def _literal(text: str) -> Any:
    """Read a setting, a number, None or a word."""
    try:
        return literal_eval(text)
    except ValueError:
        return text


def make_training(cell: Cell, preset: Preset, parts: Parts, device: str) -> Training:
    """Build what trains a cell."""
    kind, settings = _read_name(cell.method)
    if kind == "hog-knn":
        return Training(HOGKNNClassifier(**settings), cell.epochs, False, (ARG_MAX,))
    common = {
        "module": Augmented,
        "module__network": cell.network,
        "module__flip": preset.augment,
        "module__pad": 4 if preset.augment else 0,
        **{f"module__{name}": value for name, value in preset.settings.items()},
        "batch_size": preset.batch_size,
        "device": device,
        "random_state": cell.seed,
        "warm_start": True,
    }
    if kind == "triplet-knn":
        model = TripletKNNClassifier(max_epochs=1, **common | settings)
        return Training(model, 1, False, (ARG_MAX,))
    if kind == "lmle":
        length = cell.epochs // math.gcd(cell.epochs, 4)  # four rounds, or two, or one
        model = LMLEClassifier(max_epochs=length, n_rounds=1, **common | settings)
        return Training(model, length, False, (ARG_MAX,))
    common |= {
        "optimizer": "sgd",
        "optimizer__momentum": preset.momentum,
        "optimizer__weight_decay": preset.weight_decay,
        "precision": preset.precision,
        "logit_adjustment": None,
        "max_epochs": 1,
    }
    estimators = _SEVERAL if parts.target_names else _SINGLE
    decisions = (TOP_5,) if parts.groups else _DECISIONS.get(kind, (ARG_MAX,))
    if kind in ("over", "down"):
        common |= {"sampler": kind, "batch_sampler": SameLength(len(parts.X), cell.seed)}
        return Training(estimators.resampled(**common | settings), 1, True, decisions)
    if kind != "crl":
        common["alpha"] = 0
    if kind == "cost":
        common["class_weight"] = "exp"
    return Training(estimators.rectified(**common | settings), 1, True, decisions)


def decide(decision: str, model: Any, parts: Parts) -> Any:
    """Wrap a trained model so that it decides as named.

    The prior is that of the training data. The threshold's exponent is chosen on validation data;
    where there are none it is 5, the strongest that the paper chooses from.
    """
    frozen = FrozenEstimator(model)
    if decision == ADJUSTED:
        return LogitAdjustedClassifier(frozen, taus=[1]).fit(parts.X, parts.y)
    if decision == THRESHOLD and parts.X_val is None:
        return PriorThresholdClassifier(frozen, exponents=[5]).fit(parts.X, parts.y)
    if decision == THRESHOLD:
        known = _known(parts.y_val, model.classes_)
        return PriorThresholdClassifier(frozen).fit(parts.X_val, known)
    return model


def _known(labels: Any, classes: list[NDArray]) -> Any:
    """Take out labels of classes that training has not seen, which nothing can be tuned for."""
    frame = pd.DataFrame(labels)
    for name, of_target in zip(frame.columns, classes, strict=True):
        frame[name] = frame[name].where(frame[name].isin(of_target))
    return frame if hasattr(labels, "columns") else frame.to_numpy()
