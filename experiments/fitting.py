"""A cell from its data to its scores: trained epoch by epoch, kept after each."""

from __future__ import annotations

import math
import os
import pickle
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
from cells import Cell, Line
from methods import decide, make_training
from presets import Preset, find_preset
from sources import Parts

from sk_crl.metrics import balanced_accuracy_score


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


def run_cell(cell: Cell, parts: Parts, device: str, checkpoint: Path) -> list[Line]:
    """Train a cell, from its checkpoint on where there is one; score it on the test data."""
    preset = find_preset(cell.family, cell.network, cell.preset)
    training = make_training(cell, preset, parts, device)
    state = _load(checkpoint) or State(training.model, 0, 0.0)
    while state.epochs < cell.epochs:
        state = _train(state, cell, preset, parts, device, training.by_epochs)
        _save(state, checkpoint)
    curve = getattr(state.model, "loss_curve_", [math.nan])
    lines = []
    for decision in training.decisions:
        predicted = decide(decision, state.model, parts).predict(parts.X_test)
        scores = balanced_accuracy_score(parts.y_test, predicted, multioutput="raw_values")
        for target, score in zip(parts.target_names or [""], np.ravel(scores), strict=True):
            lines.append(Line(cell, decision, target, float(score), curve[-1], state.seconds))
    return lines


def _train(
    state: State, cell: Cell, preset: Preset, parts: Parts, device: str, by_epochs: bool
) -> State:
    """Train for an epoch, or all at once."""
    start = clock(device)
    if by_epochs:
        state.model.set_params(lr=preset.lr_of(state.epochs, cell.epochs))
    model = state.model.fit(parts.X, parts.y)
    n_epochs = state.epochs + 1 if by_epochs else cell.epochs
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
