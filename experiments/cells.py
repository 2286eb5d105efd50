"""What there is to train, one cell after the other, and what came out of it."""

from __future__ import annotations

import csv
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RESULTS = ["decision", "target", "balanced_accuracy", "loss", "seconds"]


class Cell(NamedTuple):
    """A network to train; tables that ask for the same one share it.

    Attributes
    ----------
    data : str
        Data set, with its variant: "cifar100-imb1.0".
    network : str
        Name of the network.
    method : str
        Kind of training and the settings in which it differs: "crl eta=0.5 level=instance".
    preset : str
        "paper" or "cpu", see `presets`.
    epochs : int
        Epochs to train for.
    seed : int
        Chooses the samples, where some are chosen, and seeds the training.
    """

    data: str
    network: str
    method: str
    preset: str
    epochs: int
    seed: int

    @property
    def family(self) -> str:
        """The data set without its variant, which has a file of results."""
        return self.data.partition("-")[0]

    @property
    def name(self) -> str:
        """A name for files."""
        return re.sub(r"[^\w.=+-]", "_", "_".join(map(str, self)))


class Line(NamedTuple):
    """A score of a cell, of one decision and one target.

    Attributes
    ----------
    cell : Cell
        The cell.
    decision : str
        How scores were turned into labels.
    target : str
        Name of the target; "" where there is one alone.
    balanced_accuracy : float
        Balanced accuracy on the test data, in [0, 1].
    loss : float
        Training loss of the last epoch, NaN for what trains none.
    seconds : float
        What training took, see `fitting.clock`.
    """

    cell: Cell
    decision: str
    target: str
    balanced_accuracy: float
    loss: float
    seconds: float


class Results:
    """The lines of all cells that are finished, in a folder with a CSV for every data set.

    Several processes may write: a lock lets one do so at a time, and a file is replaced as a whole.

    Parameters
    ----------
    folder : Path
        Folder of the CSV files.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def read(self, family: str) -> list[Line]:
        """Read all lines of a data set."""
        path = self._path(family)
        if not path.exists():
            return []
        with path.open(newline="") as file:
            return [_parsed(row) for row in csv.DictReader(file)]

    def has(self, cell: Cell) -> bool:
        """Whether a cell is finished."""
        return any(line.cell == cell for line in self.read(cell.family))

    def add(self, cell: Cell, lines: list[Line]) -> None:
        """Add the lines of a finished cell, all or none of them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(cell.family)
        with locked(path.with_suffix(".lock")):
            kept = [line for line in self.read(cell.family) if line.cell != cell]
            partial = path.with_suffix(".partial")
            with partial.open("w", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow([*Cell._fields, *RESULTS])
                writer.writerows([*line.cell, *line[1:]] for line in kept + lines)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)

    def add_features(self, cell: Cell, features: NDArray, y: NDArray) -> None:
        """Keep features of test samples, and their labels."""
        folder = self.folder / "features"
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{cell.name}.partial.npz"
        np.savez_compressed(partial, features=features, y=y)
        partial.replace(folder / f"{cell.name}.npz")

    def features(self, cell: Cell) -> tuple[NDArray, NDArray] | None:
        """Read the features and labels of a cell, if they are there."""
        path = self.folder / "features" / f"{cell.name}.npz"
        if not path.exists():
            return None
        with np.load(path) as file:
            return file["features"].astype(np.float64), file["y"]

    def _path(self, family: str) -> Path:
        return self.folder / f"{family}.csv"


def _parsed(row: dict[str, Any]) -> Line:
    """Read a row of a CSV."""
    fields = {name: row[name] for name in Cell._fields}
    cell = Cell(**fields | {name: int(row[name]) for name in ("epochs", "seed")})
    numbers = (float(row[name]) for name in RESULTS[2:])
    return Line(cell, row["decision"], row["target"], *numbers)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for a lock, and hold it; the system takes it back from whoever is killed."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def claimed(cell: Cell, folder: Path) -> Iterator[bool]:
    """Hold a cell so that no other process does it too, unless another holds it already."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{cell.name}.lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
