"""Cells done one by one, by one process or several."""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from time import perf_counter, strftime

import torch
from cells import Cell, Results, claimed
from fitting import run_cell
from sources import load
from threadpoolctl import threadpool_limits

_load = lru_cache(maxsize=2)(load)  # the balanced and the imbalanced data of a seed


def run(
    cells: Sequence[Cell], data: Path, results: Path, checkpoints: Path, device: str, jobs: int = 1
) -> None:
    """Do the cells that are missing, by so many processes.

    Cells that another process does are left to it, also to one of another call. Whoever is killed
    loses the epoch that was under way: the next call goes on from the last one.
    """
    arguments = (list(cells), data, results, checkpoints, device)
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


def _work(cells: Sequence[Cell], data: Path, results: Path, checkpoints: Path, device: str) -> None:
    """Do what is neither done nor being done."""
    if device == "cpu":
        torch.set_num_threads(1)
        threadpool_limits(1)
    # Classes of a few images make samplers and clusters warn in many cells.
    warnings.simplefilter("ignore", UserWarning)
    finished = Results(results)
    for cell in cells:
        if finished.has(cell):
            continue
        with claimed(cell, checkpoints) as is_ours:
            if not is_ours or finished.has(cell):  # another process may have come first
                continue
            start = perf_counter()
            checkpoint = checkpoints / f"{cell.name}.pickle"
            lines = run_cell(cell, _load(cell.data, data, cell.seed), device, checkpoint)
            finished.add(cell, lines)
            checkpoint.unlink()
        minutes = (perf_counter() - start) / 60
        scores = ", ".join(
            f"{line.decision} {line.balanced_accuracy:.4f}" for line in lines if not line.target
        )
        print(f"{strftime('%H:%M')} {cell.name}: {scores} ({minutes:.1f} min)", flush=True)
