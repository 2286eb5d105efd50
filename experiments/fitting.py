"""A cell from its data to its scores: trained fit by fit, kept after each."""

from __future__ import annotations

import math
import os
import pickle
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
from cells import Cell, Line
from methods import TOP_5, Training, decide, make_training
from presets import Preset, find_preset
from sources import Parts

from sk_crl.metrics import balanced_accuracy_score

SHOWN_CLASSES = (0, 1, 99)  # Fig. 2: the two largest and the smallest of CIFAR-100^imb(1)


class State(NamedTuple):
    """Training as far as it has come.

    Attributes
    ----------
    model : estimator
        Fitted, for the epochs that are over.
    epochs : int
        How many these are.
    seconds : float
        What they took.
    """

    model: Any
    epochs: int
    seconds: float


def clock(device: str) -> float:
    """Read the seconds that count: of the processor, or on a GPU those of the wall.

    A processor that other work shares makes a wall's seconds longer, but not its own.
    """
    return process_time() if device == "cpu" else perf_counter()


def wants_features(cell: Cell) -> bool:
    """Whether features are kept, which Fig. 2 shows."""
    has_variant = cell.family == "cifar100" != cell.data
    return has_variant and cell.seed == 0 and cell.method.split()[0] in ("ce", "crl")


def run_cell(cell: Cell, parts: Parts, device: str, checkpoint: Path) -> tuple[Any, list[Line]]:
    """Train a cell, from its checkpoint on where there is one; score it on the test data."""
    preset = find_preset(cell.family, cell.network, cell.preset)
    training = make_training(cell, preset, parts, device)
    state = _load(checkpoint) or State(training.model, 0, 0.0)
    while state.epochs < cell.epochs:
        state = _train(state, cell, preset, parts, device, training)
        _save(state, checkpoint)
    model, seconds = state.model, state.seconds
    loss = getattr(model, "loss_curve_", [math.nan])[-1]
    lines = [
        Line(cell, decision, target, score, loss, seconds)
        for decision in training.decisions
        for target, score in _scores(decision, model, parts).items()
    ]
    return model, lines


def _scores(decision: str, model: Any, parts: Parts) -> dict[str, float]:
    """Compute the balanced accuracy of every target."""
    if decision == TOP_5:
        return _top_5(model, parts)
    predicted = decide(decision, model, parts).predict(parts.X_test)
    scores = balanced_accuracy_score(parts.y_test, predicted, multioutput="raw_values")
    return dict(zip(parts.target_names or [""], np.ravel(scores).tolist(), strict=True))


def _top_5(model: Any, parts: Parts) -> dict[str, float]:
    """Compute how often an attribute that an image has is among the five likeliest of its group.

    It is the mean over a group's attributes, so that frequent ones count no more than rare ones.
    """
    likely = np.column_stack([table[:, -1] for table in model.predict_proba(parts.X_test)])
    scores = {}
    for group, columns in parts.groups.items():
        rank = (-likely[:, columns]).argsort(axis=1, kind="stable").argsort(axis=1)
        has = np.asarray(parts.y_test)[:, columns] == 1
        is_shown = has.any(axis=0)
        found = ((rank < 5) & has).sum(axis=0)[is_shown] / has.sum(axis=0)[is_shown]
        scores[group] = float(found.mean())
    return scores


def _train(
    state: State, cell: Cell, preset: Preset, parts: Parts, device: str, training: Training
) -> State:
    """Train for as long as a fit does."""
    start = clock(device)
    if training.has_schedule:
        state.model.set_params(lr=preset.lr_of(state.epochs, cell.epochs))
    model = state.model.fit(parts.X, parts.y)
    n_epochs = state.epochs + training.epochs_per_fit
    return State(model, n_epochs, round(state.seconds + clock(device) - start, 3))


def _save(state: State, path: Path) -> None:
    """Write a checkpoint, as a whole or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        pickle.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _load(path: Path) -> State | None:
    """Read a checkpoint of our own, if there is one."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        return pickle.load(file)
