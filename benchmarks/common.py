"""What the benchmarks share: one thread, data, power laws, results that stay, tables."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

DATA_VARIABLE = "SK_CRL_DATA"


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
    skip(name, reason)
    return None


def skip(what: str, reason: str) -> None:
    """Say on standard error what is not measured, and why."""
    print(f"SKIPPED {what}: {reason}.", file=sys.stderr, flush=True)


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
    """Print a Markdown table, the first column to the left and all others to the right.

    A row is printed as soon as it is there.
    """
    for line in chain([head, ["---"] + ["---:"] * (len(head) - 1)], rows):
        print("| " + " | ".join(map(str, line)) + " |", flush=True)
    print(flush=True)
