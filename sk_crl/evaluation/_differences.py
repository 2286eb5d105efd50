"""One method against each of its rivals, over data sets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_crl._checks import check_choice, check_real
from sk_crl._names import unknown_name
from sk_crl.evaluation._frame import DIGITS, check_frame, complete, mean_scores
from sk_crl.evaluation._pandas import import_pandas


def paired_differences(
    frame: Any,
    reference: str,
    metric: str = "balanced_accuracy",
    *,
    confidence: float = 0.95,
    missing: str = "raise",
) -> Any:
    """Compare one method with each other by its difference on every data set.

    The scores of a data set's splits are averaged first, as they are not independent.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row for every fit, as `compare` makes it.
    reference : str
        The method to compare with the others.
    metric : str, default="balanced_accuracy"
        The column to compare by.
    confidence : float, default=0.95
        Confidence of the intervals, between 0 and 1.
    missing : {"raise", "drop"}, default="raise"
        What to do with a data set on which the reference or a rival lacks the score of any
        split: raise ValueError, or leave it out of the comparison with this rival.

    Returns
    -------
    pandas.DataFrame
        A row for every other method, with the columns

        - ``difference``: mean over data sets of the reference's score less the rival's
        - ``low``, ``high``: Student's confidence interval of it; NaN for a single data set
        - ``wins``, ``losses``, ``ties``: data sets on which the reference is better, worse, alike
        - ``p_value``: of Wilcoxon's signed-rank test, two-sided, without ties; 1 if all tie
        - ``p_holm``: the same corrected for the number of rivals, by Holm
        - ``n_datasets``: data sets compared on

    Raises
    ------
    ValueError
        For an unknown method or column, no rival, a fit twice, and as `missing` says.

    See Also
    --------
    critical_difference : All methods against each other.
    gain_by_imbalance : The differences themselves, of one rival.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_crl.evaluation import paired_differences
    >>> scores = {"net": [0.9, 0.8, 0.9, 0.7], "tree": [0.8, 0.6, 0.8, 0.8], "prior": [0.5] * 4}
    >>> frame = pd.DataFrame(scores, index=[*"abcd"]).rename_axis("dataset").reset_index()
    >>> frame = frame.melt("dataset", var_name="method", value_name="balanced_accuracy")
    >>> table = paired_differences(frame.assign(split=0), "net").round(3).reset_index()
    >>> table[["method", "difference", "low", "high", "wins", "losses", "p_value"]]
      method  difference    low   high  wins  losses  p_value
    0   tree       0.075 -0.125  0.275     3       1    0.500
    1  prior       0.325  0.173  0.477     4       0    0.125
    """
    pandas = import_pandas()
    check_real("confidence", confidence, 0, 1, "()")
    check_choice("missing", missing, ("raise", "drop"))
    scores = mean_scores(frame, metric)
    check_method(scores, reference)
    rivals = [method for method in scores if method != reference]
    if not rivals:
        raise ValueError(f"The frame must have another method beside {reference!r}.")
    if missing == "raise":
        scores = complete(scores, missing)
    rows = []
    for rival in rivals:
        pair = complete(scores[[reference, rival]], missing)
        difference = (pair[reference] - pair[rival]).round(DIGITS).to_numpy()
        rows.append(_describe(difference, confidence))
    table = pandas.DataFrame(rows, index=pandas.Index(rivals, name="method"))
    table.insert(len(table.columns) - 1, "p_holm", holm(table["p_value"]))
    return table


def gain_by_imbalance(frame: Any, method: str, over: str, metric: str = "balanced_accuracy") -> Any:
    """Show what a method gains over another on every data set, with the imbalance of the data.

    As in Figures 6 and 8 of the paper, where the targets of one data set take the place of the
    data sets; `by_target` makes a frame of targets.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row for every fit, as `compare` makes it.
    method : str
        The method that gains, or loses.
    over : str
        The method that it is compared with.
    metric : str, default="balanced_accuracy"
        The column to compare by.

    Returns
    -------
    pandas.DataFrame
        A row for every data set, those of little imbalance first, with the columns ``dataset``,
        ``imbalance_ratio`` (mean of the splits), ``score``, ``score_over``, ``gain`` (mean of
        the splits), ``gain_std`` (standard deviation over the splits, NaN for a single one),
        and ``n_splits``, those that both methods have a score of. A data set without any
        such split has no row.

    Raises
    ------
    ValueError
        For unknown methods or columns, two that are one, and a fit twice.

    See Also
    --------
    by_target : Makes a frame in which every target is a data set.
    paired_differences : Whether a gain is more than chance.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_crl.evaluation import gain_by_imbalance
    >>> frame = pd.DataFrame({
    ...     "dataset": ["a", "a", "b", "b"],
    ...     "method": ["net", "tree", "net", "tree"],
    ...     "split": 0,
    ...     "imbalance_ratio": [30.0, 30.0, 2.0, 2.0],
    ...     "balanced_accuracy": [0.8, 0.7, 0.9, 0.9],
    ... })
    >>> gain_by_imbalance(frame, "net", over="tree")[["dataset", "imbalance_ratio", "gain"]]
      dataset  imbalance_ratio  gain
    0       b              2.0   0.0
    1       a             30.0   0.1
    """
    check_frame(frame, metric)
    check_frame(frame, "imbalance_ratio")
    splits = frame.pivot(index=["dataset", "split"], columns="method", values=metric)
    for name in (method, over):
        check_method(splits, name)
    if method == over:
        raise ValueError(f"method and over must differ; both are {method!r}.")
    ratios = frame.groupby(["dataset", "split"])["imbalance_ratio"].first()
    both = splits[[method, over]].set_axis(["score", "score_over"], axis=1)
    both = both.assign(imbalance_ratio=ratios).dropna(subset=["score", "score_over"])
    both["gain"] = (both["score"] - both["score_over"]).round(DIGITS)
    groups = both.groupby(level="dataset", sort=False)
    table = groups[["imbalance_ratio", "score", "score_over", "gain"]].mean().round(DIGITS)
    table["gain_std"] = groups["gain"].std()
    table["n_splits"] = groups.size()
    return table.reset_index().sort_values("imbalance_ratio", ignore_index=True, kind="stable")


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values for their number, by Holm's step-down method."""
    p_values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def check_method(scores: Any, name: str) -> None:
    """Raise ValueError unless a method is a column of a table of scores."""
    if name not in scores.columns:
        raise ValueError(unknown_name("method", name, map(str, scores.columns)))


def _describe(difference: NDArray[np.float64], confidence: float) -> dict[str, Any]:
    """Describe the differences on all data sets."""
    low, high = _interval(difference, confidence)
    return {
        "difference": difference.mean(),
        "low": low,
        "high": high,
        "wins": int((difference > 0).sum()),
        "losses": int((difference < 0).sum()),
        "ties": int((difference == 0).sum()),
        "p_value": _signed_rank(difference),
        "n_datasets": len(difference),
    }


def _interval(difference: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Find Student's confidence interval of a mean."""
    from scipy.stats import t

    if len(difference) < 2:
        return math.nan, math.nan
    width = t.ppf((1 + confidence) / 2, len(difference) - 1)
    width *= difference.std(ddof=1) / math.sqrt(len(difference))
    return float(difference.mean() - width), float(difference.mean() + width)


def _signed_rank(difference: NDArray[np.float64]) -> float:
    """Test by Wilcoxon's signed ranks that a difference is as often, and as much, below 0."""
    from scipy.stats import wilcoxon

    untied = difference[difference != 0]
    return float(wilcoxon(untied).pvalue) if len(untied) else 1.0
