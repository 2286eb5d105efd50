"""The report of the study: tables on standard output, and two figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from common import print_table
from study_methods import ADJUSTED, PLAIN, REFERENCE

from sk_crl.evaluation import critical_difference, gain_by_imbalance, paired_differences, rank_table

FIGURES = Path(__file__).parents[1] / "docs" / "images"
METRIC = "balanced_accuracy"
# The secondary scores, what to call them, and whether a high one is good.
SECONDARY = {
    "macro_f1": ("macro F1", True),
    "average_precision": ("average precision", True),
    "log_loss": ("log-loss", False),
    "balanced_log_loss": ("balanced log-loss", False),
}


def report(frame: pd.DataFrame, figures: Path = FIGURES) -> None:
    """Print all tables of the frame of all fits, and draw the figures."""
    print_counts(frame)
    print_failures(frame)
    order = print_ranks(frame)
    print_critical_difference(frame)
    print_differences(frame, order)
    print_scores_by_table(frame, order)
    print_secondary(frame, order)
    print_times(frame, order)
    draw(frame, figures)


def print_counts(frame: pd.DataFrame) -> None:
    """Say how many fits there are; unfinished tables count as they are."""
    sizes = [frame[column].nunique() for column in ("method", "dataset", "split")]
    whole = sizes[0] * sizes[1] * sizes[2]
    print("{} methods, {} tables, {} splits: ".format(*sizes), end="")
    print(f"{len(frame)} fits{'' if len(frame) == whole else f' of {whole}'}.\n")


def print_failures(frame: pd.DataFrame) -> None:
    """List what failed, and why."""
    failed = frame[frame["error"].notna()]
    if not len(failed):
        print("No fit failed.\n")
        return
    print(f"Failed fits, {len(failed)} of {len(frame)}:\n")
    rows = []
    for (method, error), group in failed.groupby(["method", "error"], sort=False):
        counts = group.groupby("dataset", sort=False).size()
        where = ", ".join(f"{dataset} ({n})" for dataset, n in counts.items())
        rows.append([method, " ".join(error.split()).replace("|", r"\|"), where])
    print_table(["method", "error", "tables (splits)"], rows)


def print_ranks(frame: pd.DataFrame) -> list[str]:
    """Print mean ranks; return the methods in their order."""
    print("Ranks by balanced accuracy, a method without a score last:\n")
    table = rank_table(frame, METRIC, missing="worst")
    print_table(
        ["method", "mean rank", "mean score", "best on"],
        (
            [name, f"{row.mean_rank:.2f}", number(row.mean_score), f"{row.n_best:.0f}"]
            for name, row in table.iterrows()
        ),
    )
    return list(table.index)


def print_critical_difference(frame: pd.DataFrame) -> None:
    """Print Friedman's test, Nemenyi's critical difference, and what it tells from the best."""
    found = critical_difference(frame, METRIC, missing="worst")
    limit = found.mean_ranks[0] + found.critical_difference
    ranked = zip(found.methods, found.mean_ranks, strict=True)
    near = [name for name, rank in ranked if rank < limit]
    print(
        f"Friedman's chi-squared {found.statistic:.1f}, p = {found.p_value:.2g}; critical "
        f"difference of mean ranks {found.critical_difference:.2f} (Nemenyi, 5 %, "
        f"{found.n_datasets} tables). Not told from the best: {'; '.join(near)}.\n"
    )


def print_differences(frame: pd.DataFrame, order: list[str]) -> None:
    """Print what the reference gains over every rival, or loses."""
    has_score = mean_scores(frame, METRIC).notna()
    comparable = (has_score & has_score.loc[REFERENCE]).any(axis=1)
    frame = frame[frame["method"].map(comparable)]  # what fails on every table is listed above
    table = paired_differences(frame, REFERENCE, METRIC, missing="drop")
    print(f"{REFERENCE} less its rivals, balanced accuracy in points:\n")
    print_table(
        ["rival", "difference", "95 % interval", "won-lost-tied", "tables", "p", "p (Holm)"],
        (
            [
                name,
                f"{100 * row.difference:+.1f}",
                f"[{100 * row.low:+.1f}, {100 * row.high:+.1f}]",
                f"{row.wins:.0f}-{row.losses:.0f}-{row.ties:.0f}",
                f"{row.n_datasets:.0f}",
                f"{row.p_value:.2g}",
                f"{row.p_holm:.2g}",
            ]
            for name, row in table.loc[[n for n in order if n in table.index]].iterrows()
        ),
    )


def print_scores_by_table(frame: pd.DataFrame, order: list[str]) -> None:
    """Print mean scores, tables of two classes and of more apart, the best in bold."""
    means = mean_scores(frame, METRIC).loc[order].round(3)
    n_classes = frame.groupby("dataset")["n_classes"].max()
    for title, is_here in (("two classes", n_classes == 2), ("more classes", n_classes > 2)):
        names = sorted(n_classes.index[is_here])
        if not names:
            continue
        best = means[names].max()
        print(f"Balanced accuracy, mean of the splits, {title}:\n")
        print_table(
            ["", *(short_name(name) for name in names)],
            (
                [
                    method,
                    *(
                        f"**{number(row[name])}**" if row[name] == best[name] else number(row[name])
                        for name in names
                    ),
                ]
                for method, row in means.iterrows()
            ),
        )


def print_secondary(
    frame: pd.DataFrame, order: list[str], scores: dict[str, tuple[str, bool]] = SECONDARY
) -> None:
    """Print the other scores: the mean over tables, and the mean rank among who has them all."""
    columns = {}
    for metric, (_, greater_is_better) in scores.items():
        means = mean_scores(frame, metric)
        whole = frame[frame["method"].isin(means.index[means.notna().all(axis=1)])]
        columns[metric] = rank_table(whole, metric, greater_is_better=greater_is_better)
    print("Other scores, mean over the tables (mean rank), of methods that have all:\n")
    print_table(
        ["method", *(title for title, _ in scores.values())],
        (
            [
                method,
                *(
                    f"{table.mean_score[method]:.3f} ({table.mean_rank[method]:.1f})"
                    if method in table.index
                    else "-"
                    for table in columns.values()
                ),
            ]
            for method in order
        ),
    )


def print_times(frame: pd.DataFrame, order: list[str]) -> None:
    """Print the time of all fits of every method, and of all together."""
    total = frame.groupby("method")["fit_time"].sum()
    longest = frame.groupby("method")["fit_time"].max()
    print("Seconds to fit, on one thread:\n")
    print_table(
        ["method", "all fits", "longest"],
        ([method, f"{total[method]:,.0f}", f"{longest[method]:.1f}"] for method in order),
    )
    both = frame["fit_time"].sum() + frame["score_time"].sum()
    print(f"All together, scores included: {both / 60:.1f} minutes of one thread.\n")


def draw(frame: pd.DataFrame, folder: Path) -> None:
    """Draw mean ranks with their critical difference, and gains by imbalance."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from sk_crl.displays import CriticalDifferenceDisplay, GainByImbalanceDisplay

    folder.mkdir(parents=True, exist_ok=True)
    display = CriticalDifferenceDisplay.from_frame(frame, METRIC, missing="worst")
    save(display.figure_, folder / "study_critical_difference.png")
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for ax, rival in zip(axes, (PLAIN, ADJUSTED), strict=True):
        gains = gain_by_imbalance(frame, REFERENCE, over=rival)
        gains["name"] = gains["dataset"].map(short_name)
        label = f"Gain over {rival} (points)"
        GainByImbalanceDisplay.from_frame(gains, name="name", label=label, ax=ax)
    save(figure, folder / "study_gain_by_imbalance.png")
    pyplot.close("all")


def save(figure, path: Path) -> None:
    """Save a figure, and say where."""
    figure.savefig(path, dpi=180, bbox_inches="tight")
    print(f"Drawn: {path.name}")


def mean_scores(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Average the splits: methods by tables, NaN where a split lacks a score."""
    scores = frame.pivot(index=["method", "split"], columns="dataset", values=metric)
    return scores.groupby(level="method").agg(lambda column: column.mean(skipna=False))


def number(score: float) -> str:
    """Write a score, or that there is none."""
    return "-" if pd.isna(score) else f"{score:.3f}"


def short_name(dataset: str) -> str:
    """Leave out where a table is from."""
    return dataset.split("_", 1)[-1]
