"""What tables are made of: numbers that come from cells."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cells import Cell, Line, Results
from methods import ARG_MAX, EMBEDDINGS
from numpy.typing import NDArray
from presets import find_preset

PAPER = Path(__file__).with_name("paper.csv")
MOST_COLUMNS = 12  # tables with more are turned on their side


class Choice(NamedTuple):
    """What a user chooses for an experiment.

    Attributes
    ----------
    preset : str
        "paper" or "cpu".
    seeds : int
        Number of seeds, from 0 on.
    networks : sequence of str
        Networks; none for those of the experiment.
    epochs : int or None
        Instead of the preset's.
    stand_in : bool
        Whether product photos stand in for X-Domain.
    """

    preset: str = "cpu"
    seeds: int = 3
    networks: Sequence[str] = ()
    epochs: int | None = None
    stand_in: bool = False


class Entry(NamedTuple):
    """A number of a table.

    Attributes
    ----------
    data, network, method : str
        Those of its cells.
    decision : str
        How scores decide.
    targets : tuple of str
        The targets whose scores are averaged; none for all.
    less : Entry or None
        What is subtracted, seed by seed, where the number is a gain.
    over : Entry or None
        What it is divided by, seed by seed, where the number is a ratio.
    quantity : {"balanced_accuracy", "seconds", "epoch seconds"}
        What is shown: a score in per cent, or seconds of training, in all or an epoch.
    """

    data: str
    network: str
    method: str
    decision: str = ARG_MAX
    targets: tuple[str, ...] = ()
    less: Entry | None = None
    over: Entry | None = None
    quantity: str = "balanced_accuracy"

    def cell(self, choice: Choice, seed: int) -> Cell:
        """Find the cell that it comes from, for a seed."""
        preset = find_preset(self.data.partition("-")[0], self.network, choice.preset)
        kind = self.method.split()[0]
        epochs = choice.epochs or (preset.embedding_epochs if kind in EMBEDDINGS else preset.epochs)
        if kind == "hog-knn":
            epochs = 1
        return Cell(self.data, self.network, self.method, choice.preset, epochs, seed)


class Row(NamedTuple):
    """A row of a table: its title, and an entry in each of the columns where there is one."""

    title: str
    entries: dict[str, Entry]


class Table(NamedTuple):
    """A table of the paper, or the numbers of a figure.

    Attributes
    ----------
    name : str
        Name on the command line, and in paper.csv.
    title : str
        What it shows.
    rows : list of Row
        Its rows.
    """

    name: str
    title: str
    rows: list[Row]

    @property
    def columns(self) -> list[str]:
        """The columns, in order."""
        return list(dict.fromkeys(column for row in self.rows for column in row.entries))

    def cells(self, choice: Choice) -> list[Cell]:
        """List all cells: column by column, seed by seed."""
        cells = []
        for column in self.columns:
            for seed in range(choice.seeds):
                for row in self.rows:
                    for entry in _with_others(row.entries.get(column)):
                        cells.append(entry.cell(choice, seed))
        return list(dict.fromkeys(cells))


def _with_others(entry: Entry | None) -> list[Entry]:
    """List an entry and what it is compared to."""
    if entry is None:
        return []
    return [*_with_others(entry.less), *_with_others(entry.over), entry]


class Scores:
    """The numbers of entries, from the results of cells.

    Parameters
    ----------
    results : Results
        The results.
    choice : Choice
        What was chosen.
    """

    def __init__(self, results: Results, choice: Choice):
        self.results = results
        self.choice = choice
        self._lines: dict[str, dict[Cell, list[Line]]] = {}

    def of_seeds(self, entry: Entry) -> NDArray[np.float64]:
        """Compute the number for every seed that has it."""
        values = [self._value(entry, seed) for seed in range(self.choice.seeds)]
        return np.array([value for value in values if not math.isnan(value)])

    def _value(self, entry: Entry, seed: int) -> float:
        cell = entry.cell(self.choice, seed)
        lines = [
            line
            for line in self._lines_of(cell)
            if line.decision == entry.decision
            and (not entry.targets or line.target in entry.targets)
        ]
        if not lines:
            return math.nan
        if entry.quantity == "balanced_accuracy":
            value = 100 * float(np.mean([line.balanced_accuracy for line in lines]))
        else:
            value = lines[0].seconds / (cell.epochs if entry.quantity == "epoch seconds" else 1)
        if entry.less is not None:
            value -= self._value(entry.less, seed)
        return value if entry.over is None else value / self._value(entry.over, seed)

    def _lines_of(self, cell: Cell) -> list[Line]:
        if cell.family not in self._lines:
            by_cell: dict[Cell, list[Line]] = {}
            for line in self.results.read(cell.family):
                by_cell.setdefault(line.cell, []).append(line)
            self._lines[cell.family] = by_cell
        return self._lines[cell.family].get(cell, [])


def of_paper(table: str) -> dict[tuple[str, str], float]:
    """Read the paper's numbers of a table, by row and column."""
    with PAPER.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["table"] == table]
    return {(row["row"], row["column"]): float(row["value"]) for row in rows}


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table, the first column to the left and all others to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def written(values: NDArray[np.float64], n_seeds: int) -> str:
    """Write a mean and a standard deviation, and how many seeds there are where some lack."""
    if not len(values):
        return "-"
    spread = f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""
    lacking = f" ({len(values)} of {n_seeds})" if len(values) < n_seeds else ""
    return f"{values.mean():.1f}{spread}{lacking}"


def report(table: Table, scores: Scores) -> str:
    """Write a table, each number with the paper's behind it, where the paper has one."""
    paper = of_paper(table.name)
    rows = []
    for row in table.rows:
        line = [row.title]
        for column in table.columns:
            entry = row.entries.get(column)
            text = "" if entry is None else written(scores.of_seeds(entry), scores.choice.seeds)
            known = paper.get((row.title, column))
            line.append(text if known is None else f"{text} [{known:g}]")
        rows.append(line)
    lines = [["", *table.columns], *rows]
    if len(table.columns) > MOST_COLUMNS:
        lines = [list(line) for line in zip(*lines, strict=True)]
    return f"**{table.title}**\n\n" + markdown(lines[0], lines[1:])
