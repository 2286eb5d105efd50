"""Cells done one by one, by one process or several."""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Thread
from time import perf_counter, strftime
from typing import NamedTuple

import numpy as np
import torch
from cells import Cell, Results, claimed, locked
from fitting import SHOWN_CLASSES, run_cell, wants_features
from presets import find_preset
from sources import MissingDataError, load
from threadpoolctl import threadpool_limits

_load = lru_cache(maxsize=2)(load)  # the balanced and the imbalanced data of a seed


class Places(NamedTuple):
    """Folders: of the data, of results, and of what is kept until a cell is finished.

    Attributes
    ----------
    data, results, checkpoints : Path
        The folders. Images that are decoded are kept among the checkpoints.
    """

    data: Path
    results: Path
    checkpoints: Path


def run(cells: Sequence[Cell], places: Places, device: str, jobs: int = 1) -> None:
    """Do the cells that are missing, by so many processes.

    Cells that another process does are left to it, also to one of another call. Whoever is killed
    loses the epoch that was under way: the next call goes on from the last one.
    """
    arguments = (list(cells), places, device)
    if jobs == 1:
        _work(*arguments)
        return
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=arguments) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        sys.exit("A process has failed; what it says stands above.")


def _end_with_parent() -> None:
    """End this process when the one that started it does, also where that one is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait() -> None:
            parent.join()
            os._exit(1)

        Thread(target=wait, daemon=True).start()


def _work(cells: Sequence[Cell], places: Places, device: str) -> None:
    """Do what is neither done nor being done."""
    _end_with_parent()
    if device == "cpu":
        torch.set_num_threads(1)
        threadpool_limits(1)
    finished, n_diverged = Results(places.results), 0
    for cell in cells:
        if finished.has(cell):
            continue
        with claimed(cell, places.checkpoints) as is_ours, warnings.catch_warnings():
            # Classes of a few images make samplers and clusters warn in many cells.
            warnings.simplefilter("ignore", UserWarning)
            if not is_ours or finished.has(cell):  # another process may have come first
                continue
            try:
                _do(cell, places, device, finished)
            except FloatingPointError as error:
                print(f"{strftime('%H:%M')} {cell.name}: {error}", flush=True)
                n_diverged += 1
            except MissingDataError as error:
                sys.exit(str(error))
    if n_diverged:
        sys.exit(f"{n_diverged} cells have diverged and have no result.")


def _do(cell: Cell, places: Places, device: str, finished: Results) -> None:
    """Train a cell and write what came of it."""
    start = perf_counter()
    checkpoint = places.checkpoints / f"{cell.name}.pickle"
    size = find_preset(cell.family, cell.network, cell.preset).size
    with locked(places.checkpoints / "images.lock"):  # one process decodes, others find it done
        parts = _load(cell.data, places.data, cell.seed, size, places.checkpoints / "images")
    model, lines = run_cell(cell, parts, device, checkpoint)
    if wants_features(cell):
        rows = np.isin(parts.y_test, SHOWN_CLASSES)
        features = model.features(parts.X_test[rows]).astype(np.float16)
        finished.add_features(cell, features, parts.y_test[rows])
    finished.add(cell, lines)
    checkpoint.unlink()
    means = {line.decision: [] for line in lines}
    for line in lines:
        means[line.decision].append(line.balanced_accuracy)
    scores = ", ".join(f"{decision} {np.mean(of_all):.4f}" for decision, of_all in means.items())
    minutes = (perf_counter() - start) / 60
    print(f"{strftime('%H:%M')} {cell.name}: {scores} ({minutes:.1f} min)", flush=True)
