"""The report of `default.py`: Markdown tables on standard output, and a figure of mean ranks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from common import mean_and_deviation, print_table
from default_methods import BOOSTING, EASY_ENSEMBLE, LOGISTIC, REFERENCE
from study_report import (
    FIGURES,
    METRIC,
    SECONDARY,
    mean_scores,
    number,
    print_counts,
    print_critical_difference,
    print_failures,
    print_ranks,
    print_scores_by_table,
    print_secondary,
    save,
    short_name,
)

from sk_crl.evaluation import paired_differences, rank_table

# Every third table, from the second on, of the names sorted: nothing was chosen by these.
KEPT_OUT = (
    "imblearn_car_eval_34",
    "imblearn_letter_img",
    "imblearn_satimage",
    "imblearn_wine_quality",
    "mc_arrhythmia",
    "mc_glass",
    "mc_soybean",
    "mc_yeast",
)
MOST_LOST = 0.03  # to EasyEnsemble, on any table
OTHER_SCORES = SECONDARY | {"calibration_error": ("calibration error", False)}
GIVEN = {"log_loss": "given_log_loss", "calibration_error": "given_calibration_error"}


def report(frame: pd.DataFrame, figures: Path = FIGURES) -> None:
    """Print all tables of the frame of all fits, and draw the figure.

    Rows of `CRLClassifier` with arguments are the ablation: they have a table of their own and no
    rank.
    """
    print_counts(frame)
    print_failures(frame)
    is_variant = frame["method"].map(is_variant_name)
    variants, frame = frame[is_variant | frame["method"].eq(REFERENCE)], frame[~is_variant]
    for title, part in parts(frame).items():
        print(f"## {title}\n")
        order = print_ranks(part)
        if part["method"].nunique() > 2 and part["dataset"].nunique() > 1:
            print_critical_difference(part)
    has_reference = REFERENCE in set(frame["method"])
    if has_reference:
        print_gains(frame, order)
        print_lost_tables(frame)
        print_goals(frame)
    print_scores_by_table(frame, order)
    print_secondary(frame, order, OTHER_SCORES)
    print_given(frame, order)
    print_fit_times(frame, order)
    if has_reference and is_variant.any():
        print_ablation(variants)
    draw(frame, figures)


def is_variant_name(method: str) -> bool:
    """Whether a method is `CRLClassifier` with arguments."""
    return method.startswith(REFERENCE[:-1]) and method != REFERENCE


def parts(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split the fits into those on tables for decisions, on tables kept out, and all."""
    is_kept_out = frame["dataset"].isin(KEPT_OUT)
    named = {
        "Tables for decisions": frame[~is_kept_out],
        "Tables kept out": frame[is_kept_out],
        "All tables": frame,
    }
    return {
        f"{title} ({part['dataset'].nunique()})": part for title, part in named.items() if len(part)
    }


def print_gains(frame: pd.DataFrame, order: list[str]) -> None:
    """Print what the reference gains over every rival, with intervals, part by part."""
    columns = {title: gains(part) for title, part in parts(frame).items()}
    print(f"{REFERENCE} less its rivals, balanced accuracy in points [95 % interval], won-lost:\n")
    print_table(
        ["rival", *columns],
        (
            [rival, *(gain_cell(table, rival) for table in columns.values())]
            for rival in order
            if rival != REFERENCE
        ),
    )


def gains(frame: pd.DataFrame, metric: str = METRIC) -> pd.DataFrame | None:
    """Compare the reference with all that share a table with it; None where nothing does."""
    means = mean_scores(frame, metric)
    if REFERENCE not in means.index:
        return None
    has_score = means.notna()
    comparable = (has_score & has_score.loc[REFERENCE]).any(axis=1)
    shared = frame[frame["method"].map(comparable)]
    if shared["method"].nunique() < 2:
        return None
    return paired_differences(shared, REFERENCE, metric, missing="drop")


def gain_cell(table: pd.DataFrame | None, rival: str) -> str:
    """Write a difference in points with its interval, or that there is none."""
    if table is None or rival not in table.index:
        return "-"
    row = table.loc[rival]
    difference = with_interval(100 * row[["difference", "low", "high"]], digits=1)
    return f"{difference}, {row.wins:.0f}-{row.losses:.0f}"


def with_interval(values: pd.Series, digits: int) -> str:
    """Write a difference and its interval, which a single table does not have."""
    difference, low, high = (f"{value:+.{digits}f}" for value in values)
    return difference if values.isna().any() else f"{difference} [{low}, {high}]"


def print_lost_tables(frame: pd.DataFrame) -> None:
    """List the tables that are lost to EasyEnsemble by more than is allowed."""
    means = mean_scores(frame, METRIC)
    if EASY_ENSEMBLE not in means.index:
        return
    lost = (means.loc[EASY_ENSEMBLE] - means.loc[REFERENCE]).sort_values(ascending=False)
    lost = lost[lost > MOST_LOST]
    limit = f"more than {100 * MOST_LOST:.0f} points to {EASY_ENSEMBLE}"
    if not len(lost):
        print(f"No table is lost by {limit}.\n")
        return
    print(f"Lost by {limit}:\n")
    print_table(
        ["table", "points", REFERENCE, EASY_ENSEMBLE],
        (
            [
                short_name(name) + (" (kept out)" if name in KEPT_OUT else ""),
                f"{100 * points:.1f}",
                number(means.loc[REFERENCE, name]),
                number(means.loc[EASY_ENSEMBLE, name]),
            ]
            for name, points in lost.items()
        ),
    )


def print_goals(frame: pd.DataFrame) -> None:
    """Print average precision against boosting, and calibration against logistic regression."""
    goals = [
        ("average precision", "average_precision", BOOSTING),
        ("calibration error", "calibration_error", LOGISTIC),
        ("log-loss", "log_loss", LOGISTIC),
    ]
    rows = []
    for title, part in parts(frame).items():
        for score, metric, rival in goals:
            table = gains(part, metric)
            if table is None or rival not in table.index:
                continue
            row = table.loc[rival]
            both = part.pivot(index=["dataset", "split"], columns="method", values=metric)
            both = both[[REFERENCE, rival]].dropna()
            rows.append(
                [
                    f"{score} against {rival}",
                    title,
                    *(f"{both[name].groupby(level=0).mean().mean():.4f}" for name in both),
                    with_interval(row[["difference", "low", "high"]], digits=4),
                    f"{row.wins:.0f}-{row.losses:.0f}",
                ]
            )
    print("Probabilities under the class shares of the training part, mean of the tables:\n")
    print_table(
        ["", "tables", REFERENCE, "rival", "difference [95 % interval]", "higher-lower"], rows
    )


def print_given(frame: pd.DataFrame, order: list[str]) -> None:
    """Print log-loss and calibration of what methods of even classes predict, and corrected."""
    columns = [column for metric, given in GIVEN.items() for column in (given, metric)]
    titles = [
        f"{OTHER_SCORES[metric][0]}, {how}"
        for metric in GIVEN
        for how in ("as it is", "under the class shares")
    ]
    means = frame.groupby(["method", "dataset"])[columns].mean().groupby(level="method").mean()
    means = means.loc[order].dropna()
    if not len(means):
        return
    print("Methods that see even classes, mean of the tables:\n")
    print_table(["method", *titles], ([name, *map(number, row)] for name, row in means.iterrows()))


def print_fit_times(frame: pd.DataFrame, order: list[str]) -> None:
    """Print the processor's time of training, which other work beside it does not change."""
    times = frame.groupby(["method", "dataset"])["cpu_seconds"].mean().unstack()
    print("Seconds of one processor to train, a fit:\n")
    print_table(
        ["method", "mean of the tables", "median of the tables", "longest", "on"],
        (
            [
                method,
                f"{row.mean():.1f}",
                f"{row.median():.1f}",
                f"{row.max():.1f}",
                "-" if row.isna().all() else short_name(row.idxmax()),
            ]
            for method, row in times.loc[order].iterrows()
        ),
    )


def print_ablation(frame: pd.DataFrame) -> None:
    """Print what is lost with every argument that takes a part away."""
    columns = {title: gains(part) for title, part in parts(frame).items()}
    ranks = rank_table(frame, METRIC, missing="worst")
    print(f"Ablation: {REFERENCE} less itself with an argument, in points [95 % interval]:\n")
    print_table(
        ["with", "mean score", *columns],
        (
            [method, number(row.mean_score), *(gain_cell(t, method) for t in columns.values())]
            for method, row in ranks.iterrows()
        ),
    )
    print_scores_by_table(frame, list(ranks.index))


def draw(frame: pd.DataFrame, folder: Path) -> None:
    """Draw mean ranks with their critical difference, on all tables."""
    if frame["method"].nunique() < 3 or frame["dataset"].nunique() < 2:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from sk_crl.displays import CriticalDifferenceDisplay

    folder.mkdir(parents=True, exist_ok=True)
    display = CriticalDifferenceDisplay.from_frame(frame, METRIC, missing="worst")
    save(display.figure_, folder / "default_critical_difference.png")
    pyplot.close("all")


def report_targets(frame: pd.DataFrame) -> None:
    """Print the scores of the tables of several targets, and how long training took."""
    print_counts(frame)
    print_failures(frame)
    order = print_ranks(frame)
    for title, column in (
        ("Mean over targets of the balanced accuracies, mean ± deviation of the splits", METRIC),
        ("Seconds to train, mean ± deviation of the splits", "fit_time"),
    ):
        cells = frame.groupby(["method", "dataset"])[column].agg(
            lambda values: mean_and_deviation(values.to_numpy())
        )
        cells = cells.unstack().fillna("-")
        print(f"{title}:\n")
        print_table(
            ["", *map(short_name, cells.columns)],
            ([method, *cells.loc[method]] for method in order),
        )
