"""Tables of scores to print: Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan
from typing import Any, NamedTuple

from sk_crl._checks import check_boolean, check_integer
from sk_crl.evaluation._frame import DIGITS, check_frame, mean_scores
from sk_crl.evaluation._pandas import import_pandas
from sk_crl.evaluation._ranks import rank

NOTHING = "-"  # where there is no score
LATEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{special: "\\" + special for special in "&%$#_{}"},
}


class Cell(NamedTuple):
    """One entry of a table.

    Attributes
    ----------
    text : str
        What it says, with a plus-minus sign where there is a deviation.
    is_best : bool
        Whether no other of its row is better.
    """

    text: str
    is_best: bool = False


def score_table(frame: Any, metric: str = "balanced_accuracy") -> Any:
    """Average the splits of every data set.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row for every fit, as `compare` makes it.
    metric : str, default="balanced_accuracy"
        The column to average.

    Returns
    -------
    pandas.DataFrame
        A row for every data set, and for every method the columns ``(method, "mean")``,
        ``(method, "std")``, the standard deviation over splits, NaN for a single one, and
        ``(method, "n_splits")``, the splits that have a score; the others are left out.

    Raises
    ------
    ValueError
        For a frame without the column, or with a fit twice.

    See Also
    --------
    to_markdown : As text.
    to_latex : As LaTeX.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_crl.evaluation import score_table
    >>> frame = pd.DataFrame({
    ...     "dataset": "a", "method": "net", "split": [0, 1], "balanced_accuracy": [0.7, 0.9]
    ... })
    >>> score_table(frame).round(2)  # doctest: +NORMALIZE_WHITESPACE
    method   net
            mean   std n_splits
    dataset
    a        0.8  0.14        2
    """
    check_frame(frame, metric)
    groups = frame.groupby(["dataset", "method"], sort=False)[metric]
    parts = {
        "mean": groups.mean().unstack("method"),
        "std": groups.std().unstack("method"),
        "n_splits": groups.count().unstack("method", fill_value=0),
    }
    table = import_pandas().concat(parts, axis=1).swaplevel(axis=1)
    order = [(name, part) for name in frame["method"].unique() for part in parts]
    return table.loc[frame["dataset"].unique(), order]


def to_markdown(
    frame: Any,
    metric: str = "balanced_accuracy",
    *,
    digits: int = 3,
    greater_is_better: bool = True,
) -> str:
    """Write the scores of all methods on all data sets as a Markdown table.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row for every fit, as `compare` makes it.
    metric : str, default="balanced_accuracy"
        The column to write.
    digits : int, default=3
        Digits behind the point.
    greater_is_better : bool, default=True
        Whether a high score is good.

    Returns
    -------
    str
        A row for every data set with the mean ± standard deviation over splits, the best in
        bold; where some splits have no score, how many have one. Below them, the means over
        data sets, of methods that lack no score, and the mean ranks if none lacks any.

    Raises
    ------
    ValueError
        For a frame without the column, or with a fit twice.

    See Also
    --------
    to_latex : The same as LaTeX.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_crl.evaluation import to_markdown
    >>> frame = pd.DataFrame({
    ...     "dataset": ["a", "a", "b", "b"],
    ...     "method": ["net", "tree", "net", "tree"],
    ...     "split": 0,
    ...     "balanced_accuracy": [0.8, 0.7, 0.9, 0.95],
    ... })
    >>> print(to_markdown(frame, digits=2))
    |  | net | tree |
    | :-- | --: | --: |
    | a | **0.80** | 0.70 |
    | b | 0.90 | **0.95** |
    | mean | **0.85** | 0.82 |
    | mean rank | **1.50** | **1.50** |
    """
    rows = _rows(frame, metric, digits, greater_is_better)
    names = [_markdown(name) for name in frame["method"].unique()]
    lines = [["", *names], [":--", *["--:"] * len(names)]]
    for title, cells in rows:
        texts = [f"**{cell.text}**" if cell.is_best else cell.text for cell in cells]
        lines.append([_markdown(title), *texts])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def to_latex(
    frame: Any,
    metric: str = "balanced_accuracy",
    *,
    digits: int = 3,
    greater_is_better: bool = True,
) -> str:
    r"""Write the scores of all methods on all data sets as a LaTeX table.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row for every fit, as `compare` makes it.
    metric : str, default="balanced_accuracy"
        The column to write.
    digits : int, default=3
        Digits behind the point.
    greater_is_better : bool, default=True
        Whether a high score is good.

    Returns
    -------
    str
        A ``tabular`` with the rows of `to_markdown`, for the package ``booktabs``.

    Raises
    ------
    ValueError
        For a frame without the column, or with a fit twice.

    See Also
    --------
    to_markdown : The same as Markdown.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_crl.evaluation import to_latex
    >>> frame = pd.DataFrame({
    ...     "dataset": "car_34",
    ...     "method": ["net", "net", "tree", "tree"],
    ...     "split": [0, 1, 0, 1],
    ...     "balanced_accuracy": [0.8, 0.9, 0.7, 0.7],
    ... })
    >>> print(to_latex(frame, digits=2))
    \begin{tabular}{lrr}
    \toprule
     & net & tree \\
    \midrule
    car\_34 & \textbf{0.85 $\pm$ 0.07} & 0.70 $\pm$ 0.00 \\
    \midrule
    mean & \textbf{0.85} & 0.70 \\
    mean rank & \textbf{1.00} & 2.00 \\
    \bottomrule
    \end{tabular}
    """
    rows = _rows(frame, metric, digits, greater_is_better)
    names = frame["method"].unique()
    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(names)}}}",
        r"\toprule",
        _latex_row(["", *map(_latex, names)]),
        r"\midrule",
    ]
    n_datasets = frame["dataset"].nunique()
    for number, (title, cells) in enumerate(rows):
        if number == n_datasets:
            lines.append(r"\midrule")
        texts = [cell.text.replace("±", r"$\pm$") for cell in cells]
        texts = [
            rf"\textbf{{{text}}}" if cell.is_best else text
            for text, cell in zip(texts, cells, strict=True)
        ]
        lines.append(_latex_row([_latex(title), *texts]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _rows(
    frame: Any, metric: str, digits: int, greater_is_better: bool
) -> list[tuple[str, list[Cell]]]:
    """Make the rows of the table: data sets, then means and mean ranks if nothing is missing."""
    check_integer("digits", digits, 0)
    check_boolean("greater_is_better", greater_is_better)
    table = score_table(frame, metric)
    names = frame["method"].unique()
    n_splits = frame.groupby("dataset")["split"].nunique()
    rows = []
    scores = mean_scores(frame, metric)
    for title, row in table.iterrows():
        texts = [_text(row[name], n_splits[title], digits) for name in names]
        rows.append((str(title), _mark(texts, scores.loc[title], greater_is_better)))
    means = scores.mean(skipna=False)
    texts = [NOTHING if isnan(mean) else f"{mean:.{digits}f}" for mean in means]
    rows.append(("mean", _mark(texts, means, greater_is_better)))
    if not means.isna().any():
        ranks = rank(frame, metric, greater_is_better, "raise")[1].mean()
        rows.append(("mean rank", _mark([f"{mean:.2f}" for mean in ranks], ranks, False)))
    return rows


def _text(row: Any, n_splits: int, digits: int) -> str:
    """Write mean and deviation, and how many splits have a score if not all have."""
    if not row["n_splits"]:
        return NOTHING
    text = f"{row['mean']:.{digits}f}"
    if row["n_splits"] > 1:
        text += f" ± {row['std']:.{digits}f}"
    return text if row["n_splits"] == n_splits else f"{text} ({row['n_splits']:.0f} of {n_splits})"


def _mark(texts: list[str], values: Iterable[float], greater_is_better: bool) -> list[Cell]:
    """Mark the best of a row, of those that lack no split."""
    values = [round(value, DIGITS) for value in values]
    choose = max if greater_is_better else min
    best = choose((value for value in values if not isnan(value)), default=None)
    return [Cell(text, value == best) for text, value in zip(texts, values, strict=True)]


def _markdown(name: str) -> str:
    """Write a name so that Markdown shows it as it is."""
    return str(name).replace("|", r"\|")


def _latex(name: str) -> str:
    """Write a name so that LaTeX shows it as it is."""
    return "".join(LATEX_ESCAPES.get(letter, letter) for letter in str(name))


def _latex_row(texts: list[str]) -> str:
    """Put a row together."""
    return " & ".join(texts) + r" \\"
