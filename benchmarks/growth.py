"""How the time of `fit` grows: with rows, with classes, with targets and with kappa.

One epoch of `fit` on random features, on one thread; from one end of an axis to the other only the
number on it changes:

- rows: 20 features, 3 classes (80, 15 and 5 %), batches of 128;
- classes: 20,000 rows whose classes fall in size like 1 / rank, batches of 128;
- targets: 20,000 rows, two classes in every target, batches of 128;
- kappa: 100,000 rows, two classes (60 and 40 %) in batches of 512, so that an anchor has up to 200
  positives and 300 negatives to choose from.

Every point is the median of several fits, whose turns are far apart. Every finished fit is a line
of `results/growth.csv`, and fits that are there are not done again: delete the file, or name
another, after the package has changed.

    python benchmarks/growth.py

It prints the slopes in log-log scale (1 is linear) and draws the points beside a linear slope.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import append_result, print_table, read_results, use_one_thread
from numpy.typing import NDArray
from timing import CLOCKS, add_timing_options

from sk_crl import CRLClassifier, MultiOutputCRLClassifier

N_FEATURES = 20
N_ROWS = 20_000
RESULTS = Path(__file__).parent / "results" / "growth.csv"
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "growth.png"


class Axis(NamedTuple):
    """What grows, its numbers, and what makes a fit of one of them."""

    name: str
    sizes: tuple[int, ...]
    make_fit: Callable[[int], Callable[[], object]]


def main() -> None:
    """Read the command line, measure what is missing, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_timing_options(parser, repeats=3)
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV to complete")
    parser.add_argument("--figure", type=Path, default=FIGURE, help="the figure to write")
    arguments = parser.parse_args()
    use_one_thread()
    measure(arguments.out, arguments.repeats, arguments.clock)
    medians = read_medians(arguments.out, arguments.clock)
    print(f"Seconds of an epoch, {arguments.clock} time, medians:\n")
    print_table(
        ["what grows", "from", "to", "seconds", "to", "slope", "steepest between neighbours"],
        [line(name, *points) for name, points in medians.items()],
    )
    draw(medians, arguments.figure)


# What is measured.


def fit_rows(size: int) -> Callable[[], object]:
    """Make a fit of so many rows."""
    y = draw_labels(size, [0.80, 0.15, 0.05])
    return crl_fit(draw_features(size), y)


def fit_classes(size: int) -> Callable[[], object]:
    """Make a fit of so many classes."""
    share = 1 / np.arange(1, size + 1)
    y = draw_labels(N_ROWS, share / share.sum())
    y[:size] = np.arange(size)  # each is there
    return crl_fit(draw_features(N_ROWS), y)


def fit_targets(size: int) -> Callable[[], object]:
    """Make a fit of so many targets."""
    share = np.random.default_rng(0).uniform(0.02, 0.5, 200)[:size]
    Y = (np.random.default_rng(1).uniform(size=(N_ROWS, size)) < share).astype(int)
    X = draw_features(N_ROWS)
    model = MultiOutputCRLClassifier(n_members=1, max_epochs=1, device="cpu", random_state=0)
    return lambda: model.fit(X, Y)


def fit_kappa(size: int) -> Callable[[], object]:
    """Make a fit with such a kappa."""
    y = draw_labels(5 * N_ROWS, [0.6, 0.4])
    return crl_fit(draw_features(5 * N_ROWS), y, alpha=0.3, kappa=size, batch_size=512)


def crl_fit(X: NDArray, y: NDArray, **settings) -> Callable[[], object]:
    """Make a fit of one target."""
    model = CRLClassifier(**settings, n_members=1, max_epochs=1, device="cpu", random_state=0)
    return lambda: model.fit(X, y)


def draw_features(n_rows: int) -> NDArray[np.float32]:
    """Draw features."""
    return np.random.default_rng(0).standard_normal((n_rows, N_FEATURES), dtype=np.float32)


def draw_labels(n_rows: int, shares: Iterable[float]) -> NDArray[np.int64]:
    """Draw labels whose classes have such shares."""
    shares = np.asarray(shares)
    return np.random.default_rng(1).choice(len(shares), n_rows, p=shares)


AXES = (
    Axis("rows", (10_000, 30_000, 100_000, 300_000, 1_000_000), fit_rows),
    Axis("classes", (10, 30, 100, 300, 1000, 3000, 10_000), fit_classes),
    Axis("targets", (1, 2, 5, 10, 20, 50, 100, 200), fit_targets),
    Axis("kappa", (1, 2, 5, 10, 25, 50, 100, 250), fit_kappa),
)


def measure(out: Path, repeats: int, clock: str) -> None:
    """Time the fits that the CSV lacks."""
    done = [{k: v for k, v in row.items() if k != "seconds"} for row in read_results(out)]
    AXES[0].make_fit(1000)()  # the first fit of all imports
    points = [(axis, size) for axis in AXES for size in axis.sizes]
    for repeat, (axis, size) in product(range(repeats), points):
        row = {"grows": axis.name, "size": str(size), "repeat": str(repeat), "clock": clock}
        if row in done:
            continue
        fit = axis.make_fit(size)
        start = CLOCKS[clock]()
        fit()
        append_result(out, row | {"seconds": f"{CLOCKS[clock]() - start:.4f}"})


# What is told of it.


def read_medians(path: Path, clock: str) -> dict[str, tuple[NDArray, NDArray]]:
    """Read sizes and median seconds of every axis."""
    seconds = defaultdict(list)
    for row in read_results(path):
        if row["clock"] == clock:
            seconds[row["grows"], int(row["size"])].append(float(row["seconds"]))
    return {
        axis.name: (
            np.array(axis.sizes),
            np.array([np.median(seconds[axis.name, size]) for size in axis.sizes]),
        )
        for axis in AXES
    }


def slope(sizes: NDArray, seconds: NDArray) -> float:
    """Fit the exponent of a power law."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def line(name: str, sizes: NDArray, seconds: NDArray) -> list[str]:
    """Write the line of an axis."""
    points = list(zip(sizes, seconds, strict=True))
    steepest = max(slope(*zip(*neighbours, strict=True)) for neighbours in pairwise(points))
    ends = [f"{sizes[0]:,}", f"{sizes[-1]:,}", f"{seconds[0]:.2f}", f"{seconds[-1]:.2f}"]
    return [name, *ends, f"{slope(sizes, seconds):.2f}", f"{steepest:.2f}"]


def draw(medians: dict[str, tuple[NDArray, NDArray]], path: Path) -> None:
    """Draw every axis, and where linear growth from its first point would have led."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.9), layout="constrained")
    panels = figure.subplots(1, len(medians), sharey=True)
    for axes, (name, (sizes, seconds)) in zip(panels, medians.items(), strict=True):
        linear = seconds[0] * sizes / sizes[0]
        axes.plot(sizes, linear, color="#999999", linestyle="--", linewidth=1, label="linear")
        axes.plot(sizes, seconds, color="#0072B2", marker="o", markersize=4, label="fit")
        axes.set(xscale="log", yscale="log", xlabel=name)
        axes.set_title(f"slope {slope(sizes, seconds):.2f}", loc="left", fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    every = np.concatenate([seconds for _, seconds in medians.values()])
    panels[0].set(ylim=(every.min() / 2, every.max() * 2), ylabel="seconds of an epoch")
    panels[0].legend(frameon=False, loc="upper left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=180)
    print(f"Figure: {path}")


if __name__ == "__main__":
    main()
