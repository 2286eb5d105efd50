"""The figures: those of the paper, and for its tables our numbers beside the paper's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from entries import Scores, Table, of_paper
from fitting import SHOWN_CLASSES
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from sk_crl.datasets import power_law_sizes

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MOST_PANELS = 4
MOST_NAMED = 12  # targets whose names fit below bars


def draw(table: Table, scores: Scores, folder: Path) -> Path | None:
    """Draw a table into a file; none where there is no number yet, and of seconds."""
    if table.name == "cost" or not any(
        len(scores.of_seeds(e)) for row in table.rows for e in row.entries.values()
    ):
        return None
    figure = _DRAWN.get(table.name, _beside_paper)(table, scores)
    if figure is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    stand_in = "_stand_in" if scores.choice.stand_in else ""
    path = folder / f"experiments_{table.name}{stand_in}.png"
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)
    return path


def _moments(table: Table, scores: Scores, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Compute the means and deviations of a column, NaN where there is none."""
    of_rows = [
        scores.of_seeds(row.entries[column]) if column in row.entries else np.array([])
        for row in table.rows
    ]
    means = [values.mean() if len(values) else np.nan for values in of_rows]
    spreads = [values.std(ddof=1) if len(values) > 1 else 0.0 for values in of_rows]
    return np.array(means), np.array(spreads)


def _beside_paper(table: Table, scores: Scores) -> Figure:
    """Show every row as a dot, and the paper's number beside it; a panel for every column."""
    columns = [column for column in table.columns if column != "seconds"]
    if len(columns) > MOST_PANELS:
        columns = columns[-1:]  # the mean over targets
    paper = of_paper(table.name)
    figure, axes = plt.subplots(
        1,
        len(columns),
        figsize=(max(2.2 * len(columns) + 2.2, 5.5), 0.3 * len(table.rows) + 1.4),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    place = np.arange(len(table.rows))[::-1]
    for ax, column in zip(axes[0], columns, strict=True):
        means, spreads = _moments(table, scores, column)
        known = np.array([paper.get((row.title, column), np.nan) for row in table.rows])
        ax.errorbar(means, place, xerr=spreads, fmt="o", color=COLORS[0], label="here")
        ax.plot(known, place, "D", color=COLORS[1], mfc="none", label="the paper")
        ax.set_title(column, fontsize=9)
        ax.grid(axis="x", alpha=0.3)
    axes[0, 0].set_yticks(place, [row.title for row in table.rows])
    axes[0, 0].set_ylim(-0.6, len(place) - 0.4)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper right", ncols=2, fontsize=8)
    figure.suptitle(table.title, fontsize=10, x=0.01, ha="left")
    is_gain = any(entry.less for row in table.rows for entry in row.entries.values())
    is_all_gain = is_gain and table.name != "table8"
    figure.supxlabel("Points" if is_all_gain else "Balanced accuracy (%)", fontsize=9)
    return figure


def _features(table: Table, scores: Scores) -> Figure | None:
    """Show the features of three classes, trained in three ways (Fig. 2)."""
    cells = {
        row.title: entry.cell(scores.choice, 0)
        for row in table.rows
        for entry in row.entries.values()
    }
    kept = {title: scores.results.features(cell) for title, cell in cells.items()}
    if any(features is None for features in kept.values()):
        return None
    figure, axes = plt.subplots(1, len(kept), figsize=(9, 3.3), layout="constrained")
    names = ("the largest class", "the second", "the smallest")
    for ax, (title, (features, y)) in zip(axes, kept.items(), strict=True):
        coordinates = PCA(2).fit_transform(features)
        for number, (shown, name) in enumerate(zip(SHOWN_CLASSES, names, strict=True)):
            ax.scatter(
                *coordinates[y == shown].T,
                s=12,
                color=COLORS[number],
                marker="osD"[number],
                alpha=0.7,
                label=name,
            )
        ax.set_title(title, fontsize=9)
        ax.set(xticks=[], yticks=[])
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _gains_by_target(table: Table, scores: Scores) -> Figure:
    """Show the gains of every target as bars, the least imbalanced to the left (Fig. 6 and 8)."""
    methods = table.columns
    size = (max(6.0, 0.33 * len(table.rows) + 2), 3.5)
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    place, width = np.arange(len(table.rows)), 0.8 / len(methods)
    for number, method in enumerate(methods):
        means, spreads = _moments(table, scores, method)
        at = place + (number - (len(methods) - 1) / 2) * width
        ax.bar(at, means, width, yerr=spreads, color=COLORS[number], label=method, capsize=1.5)
    ax.axhline(0, color="black", lw=0.8)
    turned = {"rotation": 90} if len(table.rows) > MOST_NAMED else {"rotation": 25, "ha": "right"}
    ax.set_xticks(place, [row.title.replace("_", " ") for row in table.rows], fontsize=8, **turned)
    ax.set_ylabel("Gain over the base network (points)", fontsize=9)
    ax.set_title(table.title, fontsize=10, loc="left")
    figure.legend(loc="outside lower center", ncols=len(methods), fontsize=8)
    return figure


def _gains_by_gamma(table: Table, scores: Scores) -> Figure:
    """Show class sizes and gains for every degree of imbalance (Fig. 10)."""
    figure, (sizes, gains) = plt.subplots(1, 2, figsize=(8, 3.2))
    gammas = [float(row.title.removeprefix("γ = ")) for row in table.rows]
    for color, gamma in zip(COLORS, gammas, strict=False):
        sizes.plot(range(1, 101), power_law_sizes(100, gamma), color=color, label=f"γ = {gamma}")
    sizes.set(xlabel="Class index", ylabel="Training images")
    sizes.legend(fontsize=8)
    means, spreads = _moments(table, scores, "gain")
    gains.bar([str(gamma) for gamma in gammas], means, yerr=spreads, color=COLORS[0], capsize=3)
    gains.axhline(0, color="black", lw=0.8)
    gains.set(xlabel="γ", ylabel="Gain of CRL (points)")
    figure.suptitle(table.title, fontsize=10, x=0.02, ha="left")
    figure.tight_layout()
    return figure


def _by_weight(table: Table, scores: Scores) -> Figure:
    """Show every target and their mean against the weight of CRL (Fig. 11)."""
    figure, ax = plt.subplots(figsize=(6.5, 3.6))
    etas = [float(row.title.removeprefix("η = ")) for row in table.rows]
    for number, column in enumerate(table.columns):
        is_mean = column == "mean"
        means, spreads = _moments(table, scores, column)
        style = {"lw": 2.5, "color": "black"} if is_mean else {"lw": 1, "alpha": 0.8}
        line_style = "-" if number < 10 else "--"
        ax.errorbar(etas, means, spreads, marker=".", ls=line_style, label=column, **style)
    _mark_paper(ax, table, etas)
    ax.set_xscale("log")
    ax.set(xlabel="η", ylabel="Balanced accuracy (%)")
    ax.set_title(table.title, fontsize=10, loc="left")
    ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _by_number(table: Table, scores: Scores) -> Figure:
    """Show the mean over targets against the number of hard samples (Fig. 12)."""
    figure, ax = plt.subplots(figsize=(5, 3.2))
    kappas = [int(row.title.removeprefix("κ = ")) for row in table.rows]
    means, spreads = _moments(table, scores, "mean")
    ax.errorbar(kappas, means, spreads, marker="o", color=COLORS[0], label="here")
    _mark_paper(ax, table, kappas)
    ax.set(xlabel="κ", ylabel="Balanced accuracy (%)")
    ax.set_title(table.title, fontsize=10, loc="left")
    ax.grid(alpha=0.3)
    return figure


def _mark_paper(ax: Axes, table: Table, places: list) -> None:
    """Say which place the paper found best."""
    for place, row in zip(places, table.rows, strict=True):
        if (row.title, "mean") in of_paper(table.name):
            ax.axvline(place, color="grey", ls=":", lw=1, label="the paper's choice")


_DRAWN: dict[str, Callable[[Table, Scores], Figure | None]] = {
    "figure2": _features,
    "figure6": _gains_by_target,
    "figure8": _gains_by_target,
    "figure10": _gains_by_gamma,
    "figure11": _by_weight,
    "figure12": _by_number,
}
