"""The frame of all fits: how it is made, and how others read it."""

from __future__ import annotations

from typing import Any

import numpy as np

from sk_crl._names import unknown_name
from sk_crl.evaluation._pandas import import_pandas
from sk_crl.evaluation._scoring import AFTER_SCORES, BEFORE_SCORES, SENSITIVITIES

TEXTS = ("dataset", "method")
COUNTS = ("split", "n_train", "n_test", "n_classes")
DIGITS = 12  # what differs less has been rounded differently, and is a tie


def make_frame(rows: list[tuple[dict, dict]], scorers: list[str], sensitivities: bool) -> Any:
    """Make a frame of descriptions and results, with the same types whatever has failed."""
    pandas = import_pandas()
    records = [
        {**known, **result["scores"], **{name: result[name] for name in AFTER_SCORES}}
        | ({SENSITIVITIES: result.get(SENSITIVITIES)} if sensitivities else {})
        for known, result in rows
    ]
    objects = ["error", SENSITIVITIES] if sensitivities else ["error"]
    columns = [*BEFORE_SCORES, *scorers, *AFTER_SCORES[:-1], *objects]
    types = dict.fromkeys(columns, "float64") | dict.fromkeys(COUNTS, "int64")
    types |= dict.fromkeys(TEXTS, "str") | dict.fromkeys(objects, "object")
    return pandas.DataFrame(
        {
            name: pandas.Series([record[name] for record in records], dtype=types[name])
            for name in columns
        }
    )


def mean_scores(frame: Any, metric: str) -> Any:
    """Average the splits of every data set.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row for every fit, as `compare` makes it.
    metric : str
        The column to average.

    Returns
    -------
    pandas.DataFrame of shape (n_datasets, n_methods)
        Means, in the order of the frame, rounded so that equal means are equal. NaN where a method
        lacks the score of a split that another method has.
    """
    check_frame(frame, metric)
    splits = frame.pivot(index=["dataset", "split"], columns="method", values=metric)
    splits = splits[frame["method"].unique()]
    means = splits.groupby(level="dataset").agg(lambda scores: scores.mean(skipna=False))
    return means.loc[frame["dataset"].unique()].round(DIGITS)


def complete(scores: Any, missing: str) -> Any:
    """Drop data sets that a method has no mean score of, or raise ValueError for them.

    Parameters
    ----------
    scores : pandas.DataFrame of shape (n_datasets, n_methods)
        Means.
    missing : {"raise", "drop"}
        What to do.

    Returns
    -------
    pandas.DataFrame
        Means without NaN.
    """
    lost = scores.isna()
    if missing == "drop":
        left = scores[~lost.any(axis=1)]
        if not len(left):
            raise ValueError("No data set has the scores of all methods.")
        return left
    where = [f"{name} on {key}" for name in scores for key in scores.index[lost[name]]]
    if where:
        raise ValueError(
            f"These have fits without a score, or lack a split: {'; '.join(where)}. Repeat them, "
            "leave methods or data sets out, or say by missing=... what to do."
        )
    return scores


def check_frame(frame: Any, metric: str) -> None:
    """Raise an error unless a frame has the score, and one row a fit."""
    if not hasattr(frame, "pivot"):
        raise TypeError(f"Expected a data frame, as compare makes it; got {frame!r}.")
    needed = {"dataset", "method", "split"}
    if not needed <= set(frame.columns):
        raise ValueError(
            f"The frame must have the columns {sorted(needed)}, as compare makes them; got "
            f"{[*frame.columns]}."
        )
    numbers = [str(c) for c in frame.columns if frame[c].dtype.kind in "biuf"]
    if metric not in numbers:
        raise ValueError(unknown_name("metric", metric, numbers))
    if not len(frame):
        raise ValueError("The frame must have a row for every fit; it has none.")
    twice = frame.duplicated(["dataset", "method", "split"])
    if twice.any():
        first = frame.iloc[np.argmax(twice.to_numpy())]
        raise ValueError(
            f"The frame has more than one fit of {first['method']!r} on split {first['split']} of "
            f"{first['dataset']!r}."
        )
