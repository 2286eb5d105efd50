"""What the benchmarks share: one thread, data, power laws, timing, results that stay, tables."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from math import ceil
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from threadpoolctl import threadpool_limits

DATA_VARIABLE = "SK_CRL_DATA"
CLOCKS = {"wall": perf_counter, "cpu": process_time}
TURN = 0.05  # seconds that a timed turn takes at least, roughly


def use_one_thread() -> None:
    """Limit PyTorch, BLAS and OpenMP to one thread, for the rest of the process."""
    torch.set_num_threads(1)
    threadpool_limits(1)


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``, the folder of the data files."""
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get(DATA_VARIABLE),
        help=f"folder that holds tabular/ and multioutput/ (default: ${DATA_VARIABLE})",
    )


def find_data(folder: str | Path | None, name: str) -> Path | None:
    """Find a data file; where it is missing say what is skipped, and return None."""
    if folder is None:
        reason = f"no data folder; pass --data or set {DATA_VARIABLE}"
    elif not (Path(folder) / name).is_file():
        reason = f"not in {folder}"
    else:
        return Path(folder) / name
    print(f"SKIPPED {name}: {reason}.", file=sys.stderr)
    return None


def power_law_sizes(n_classes: int, largest: int, smallest: int) -> np.ndarray:
    """Sizes of the classes under the paper's power law: f(i) = a / (i + b), i = 1, 2, ..."""
    b = (n_classes * smallest - largest) / (largest - smallest)
    return np.rint(largest * (1 + b) / (np.arange(1, n_classes + 1) + b)).astype(int)


def add_timing_options(parser: argparse.ArgumentParser, repeats: int) -> None:
    """Add ``--repeats`` and ``--clock``."""
    parser.add_argument(
        "--repeats", type=int, default=repeats, help="timed repeats, after warming up"
    )
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="wall time, or the processor time of this process, which other processes' turns on a "
        "busy machine do not count in",
    )


def interleaved(
    actions: dict[str, Callable[[], object]], repeats: int, clock: str = "wall"
) -> dict[str, np.ndarray]:
    """Time actions in turn, so that what disturbs one repeat disturbs all of them alike.

    An action shorter than a turn is called several times in it, after one call that is not timed:
    none pays for the caches and the memory that the action before it has left.

    Parameters
    ----------
    actions : dict of callables
        What to time, by name.
    repeats : int
        Rounds to time, after warming up.
    clock : {"wall", "cpu"}, default="wall"
        What to read.

    Returns
    -------
    dict of ndarray of shape (repeats,)
        Seconds a call.
    """
    read = CLOCKS[clock]

    def timed(action: Callable[[], object], n_calls: int) -> float:
        if n_calls > 1:
            action()
        start = read()
        for _ in range(n_calls):
            action()
        return (read() - start) / n_calls

    for action in actions.values():
        action()
    n_calls = {name: ceil(TURN / min(timed(a, 1), TURN)) for name, a in actions.items()}
    rounds = [[timed(a, n_calls[name]) for name, a in actions.items()] for _ in range(repeats)]
    return dict(zip(actions, np.array(rounds).T, strict=True))


def append_result(path: Path, row: dict[str, object]) -> None:
    """Append a line to a CSV, after the head if the file is new.

    Every finished fit is a line, written at once: a run that was killed goes on where it stopped.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    drop_torn_line(path)
    is_new = not path.exists() or not path.stat().st_size
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that has no end: its writer was killed."""
    if path.exists():
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            path.write_bytes(whole)


def read_results(path: Path) -> list[dict[str, str]]:
    """Read the whole lines of a CSV."""
    if not path.exists():
        return []
    lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return list(csv.DictReader(lines))


def mean_and_deviation(values: np.ndarray) -> str:
    """Write the mean and standard deviation of the scores that are there."""
    values = values[~np.isnan(values)]
    if not len(values):
        return "-"
    return f"{values.mean():.3f} ± {values.std(ddof=len(values) > 1):.3f}"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Write values as their median [least, greatest]."""
    median, low, high = np.median(values), np.min(values), np.max(values)
    return f"{median:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table, the first column to the left and all others to the right."""
    lines = [list(head), ["---"] + ["---:"] * (len(head) - 1), *rows]
    for line in lines:
        print("| " + " | ".join(map(str, line)) + " |")
    print(flush=True)
