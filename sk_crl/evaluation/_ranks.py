"""Ranks of methods over data sets, and which mean ranks differ (Friedman, Nemenyi)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_crl._checks import check_boolean, check_choice, check_real
from sk_crl.evaluation._frame import complete, mean_scores
from sk_crl.evaluation._pandas import import_pandas


def rank_table(
    frame: Any,
    metric: str = "balanced_accuracy",
    *,
    greater_is_better: bool = True,
    missing: str = "raise",
) -> Any:
    """Rank the methods on every data set, and average the ranks.

    The scores of a data set's splits are averaged first. Rank 1 is the best; methods that tie
    share the mean of their ranks.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row for every fit, as `compare` makes it.
    metric : str, default="balanced_accuracy"
        The column to rank by.
    greater_is_better : bool, default=True
        Whether a high score is good, as of all scorers; of times it is not.
    missing : {"raise", "drop", "worst"}, default="raise"
        What to do with a data set on which a method lacks the score of any split: raise
        ValueError, leave the data set out for all methods, or rank that method last on it.

    Returns
    -------
    pandas.DataFrame
        A row for every method, the best first, with the columns ``mean_rank``, ``n_best`` (data
        sets on which no method is better), ``mean_score`` and ``n_datasets``.

    Raises
    ------
    ValueError
        For a frame without the column, or with a fit twice, and as `missing` says.

    See Also
    --------
    critical_difference : Which of the mean ranks differ.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_crl.evaluation import rank_table
    >>> frame = pd.DataFrame({
    ...     "dataset": ["a", "a", "b", "b"],
    ...     "method": ["net", "tree", "net", "tree"],
    ...     "split": 0,
    ...     "balanced_accuracy": [0.8, 0.7, 0.9, 0.9],
    ... })
    >>> rank_table(frame)  # doctest: +NORMALIZE_WHITESPACE
            mean_rank  n_best  mean_score  n_datasets
    method
    net          1.25       2        0.85           2
    tree         1.75       1        0.80           2
    """
    pandas = import_pandas()
    scores, ranks = rank(frame, metric, greater_is_better, missing)
    n_best = (ranks.to_numpy() == ranks.to_numpy().min(axis=1, keepdims=True)).sum(axis=0)
    table = pandas.DataFrame(
        {
            "mean_rank": ranks.mean(),
            "n_best": n_best,
            "mean_score": scores.mean(skipna=False),
            "n_datasets": len(ranks),
        }
    )
    return table.rename_axis("method").sort_values("mean_rank", kind="stable")


def rank(frame: Any, metric: str, greater_is_better: bool, missing: str) -> tuple[Any, Any]:
    """Average the splits, and rank the methods on every data set.

    Returns
    -------
    scores, ranks : pandas.DataFrame of shape (n_datasets, n_methods)
        The parameters are those of `rank_table`.
    """
    check_boolean("greater_is_better", greater_is_better)
    check_choice("missing", missing, ("raise", "drop", "worst"))
    scores = mean_scores(frame, metric)
    if missing != "worst":
        scores = complete(scores, missing)
    ranks = scores.rank(axis=1, ascending=not greater_is_better, na_option="bottom")
    return scores, ranks


@dataclass(frozen=True)
class CriticalDifference:
    r"""Mean ranks of methods, and how far apart two must be to differ (Friedman, Nemenyi).

    Parameters
    ----------
    methods : tuple of str
        Names of the methods, the best first.
    mean_ranks : tuple of float
        Their mean ranks.
    n_datasets : int
        Number of data sets.
    alpha : float
        Level of the test.
    critical_difference : float
        Mean ranks that differ by as much, or more, differ significantly:
        :math:`q_\alpha \sqrt{k (k + 1) / (6 N)}` of :math:`k` methods on :math:`N` data sets, with
        the studentized range's :math:`q_\alpha`, by :math:`\sqrt 2`.
    statistic : float
        Friedman's chi-squared, corrected for ties.
    p_value : float
        How likely one as large is if no method is better than another.

    See Also
    --------
    critical_difference : Makes one of a frame.

    References
    ----------
    J. Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006.

    Examples
    --------
    >>> from sk_crl.evaluation import CriticalDifference
    >>> found = CriticalDifference(("a", "b", "c"), (1.2, 1.9, 2.9), 10, 0.05, 1.05, 14.6, 0.001)
    >>> found.groups
    (('a', 'b'), ('b', 'c'))
    """

    methods: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    n_datasets: int
    alpha: float
    critical_difference: float
    statistic: float
    p_value: float

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The largest groups of methods none of which differs significantly from another."""
        runs = runs_within(self.mean_ranks, self.critical_difference)
        return tuple(self.methods[run.start : run.stop] for run in runs)


def runs_within(mean_ranks: Sequence[float], critical_difference: float) -> list[range]:
    """Find the longest runs of ascending ranks that all differ by less than a critical difference.

    Those of a single rank, and those inside another, are left out.
    """
    runs, last = [], 0
    for first, best in enumerate(mean_ranks):
        end = sum(rank - best < critical_difference for rank in mean_ranks)
        if end > last and end - first > 1:
            runs.append(range(first, end))
        last = max(last, end)
    return runs


def critical_difference(
    frame: Any,
    metric: str = "balanced_accuracy",
    *,
    alpha: float = 0.05,
    greater_is_better: bool = True,
    missing: str = "raise",
) -> CriticalDifference:
    """Test whether methods differ over data sets, by Friedman, and which, by Nemenyi.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row for every fit, as `compare` makes it.
    metric : str, default="balanced_accuracy"
        The column to rank by; the splits of a data set are averaged first.
    alpha : float, default=0.05
        Level of Nemenyi's test, between 0 and 1.
    greater_is_better : bool, default=True
        Whether a high score is good.
    missing : {"raise", "drop", "worst"}, default="raise"
        What to do with a data set on which a method lacks the score of any split: raise
        ValueError, leave the data set out for all methods, or rank that method last on it.

    Returns
    -------
    CriticalDifference
        The mean ranks, the critical difference and Friedman's test.

    Raises
    ------
    ValueError
        For fewer than three methods or two data sets, and as `rank_table`.

    See Also
    --------
    rank_table : The mean ranks alone.
    paired_differences : One method against each other, for two methods too.

    References
    ----------
    J. Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_crl.evaluation import critical_difference
    >>> scores = {"net": [0.9, 0.8, 0.9, 0.7], "tree": [0.8, 0.7, 0.8, 0.8], "prior": [0.5] * 4}
    >>> frame = pd.DataFrame(scores, index=[*"abcd"]).rename_axis("dataset").reset_index()
    >>> frame = frame.melt("dataset", var_name="method", value_name="balanced_accuracy")
    >>> found = critical_difference(frame.assign(split=0))
    >>> round(found.critical_difference, 2), round(found.p_value, 3)
    (1.66, 0.039)
    >>> found.groups
    (('net', 'tree'), ('tree', 'prior'))
    """
    from scipy.stats import studentized_range

    check_real("alpha", alpha, 0, 1, "()")
    _, ranks = rank(frame, metric, greater_is_better, missing)
    n_datasets, n_methods = ranks.shape
    if n_methods < 3 or n_datasets < 2:
        raise ValueError(
            f"Expected three methods or more, on two data sets or more; got {n_methods} methods on "
            f"{n_datasets}. paired_differences compares two methods."
        )
    quantile = studentized_range.ppf(1 - alpha, n_methods, np.inf) / math.sqrt(2)
    critical = quantile * math.sqrt(n_methods * (n_methods + 1) / (6 * n_datasets))
    statistic, p_value = _friedman(ranks.to_numpy())
    means = ranks.mean().sort_values(kind="stable")
    return CriticalDifference(
        methods=tuple(means.index),
        mean_ranks=tuple(means.tolist()),
        n_datasets=n_datasets,
        alpha=float(alpha),
        critical_difference=float(critical),
        statistic=statistic,
        p_value=p_value,
    )


def _friedman(ranks: NDArray[np.float64]) -> tuple[float, float]:
    """Test that all methods are alike; without any difference that is certain."""
    from scipy.stats import friedmanchisquare

    if (ranks == ranks[:, :1]).all():
        return 0.0, 1.0
    found = friedmanchisquare(*ranks.T)
    return float(found.statistic), float(found.pvalue)
