"""Balanced accuracy where the k highest scores may hold the true class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_crl._checks import check_integer
from sk_crl._labels import short
from sk_crl.metrics._sensitivity import mean_sensitivity
from sk_crl.metrics._targets import (
    KnownTarget,
    average,
    check_multioutput,
    known_targets,
    label_lists,
    one_for_each,
    read_truth,
)


def top_k_balanced_accuracy_score(
    y_true: Any,
    y_score: Any,
    *,
    k: int,
    labels: Any = None,
    sample_weight: ArrayLike | None = None,
    multioutput: str = "uniform_average",
    missing_label: Any = None,
) -> float | NDArray[np.float64]:
    """Compute the class-balanced top-k accuracy.

    Of every class the share of its samples whose true class is among the `k` with the highest
    scores; the mean of it over the classes that `y_true` holds, and then over targets. With
    ``k=1`` it is the balanced accuracy (Eq. 17-18) of the classes with the highest scores.

    Parameters
    ----------
    y_true : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
        True labels. NaN, None and NA are missing labels: such a sample takes no part for its
        target.
    y_score : array-like of shape (n_samples, n_classes), or list of them
        Scores of the classes, or for several targets a list of such arrays, as `predict_proba`
        returns them. Of equal scores the last counts as the highest, as in scikit-learn's
        `top_k_accuracy_score`.
    k : int
        How many classes may be named; less than there are of any target.
    labels : array-like of shape (n_classes,), or list of them, optional
        The classes that the columns of `y_score` belong to, such as an estimator's ``classes_``.
        By default those that `y_true` holds, sorted.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of every sample; those of weight 0 are as good as absent.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over targets, or the score of every target.
    missing_label : number or str, optional
        A further label that stands for none.

    Returns
    -------
    float or ndarray of shape (n_targets,)
        Class-balanced top-k accuracy, between 0 and 1.

    Raises
    ------
    ValueError
        For what are no labels, a target without any, labels of `y_true` that are not among
        `labels`, scores of another shape or that are not finite, and a `k` that is no integer
        from 1 to the number of classes less 1.

    See Also
    --------
    top_k_balanced_accuracy_scorer : The scorer.

    Examples
    --------
    >>> from sk_crl.metrics import top_k_balanced_accuracy_score
    >>> y_true = ["a", "a", "b", "c"]
    >>> y_score = [[0.6, 0.3, 0.1], [0.1, 0.5, 0.4], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5]]
    >>> top_k_balanced_accuracy_score(y_true, y_score, k=1)
    0.5
    >>> round(top_k_balanced_accuracy_score(y_true, y_score, k=2), 3)
    0.833
    """
    check_integer("k", k, 1)
    check_multioutput(multioutput)
    truth, weight = read_truth(y_true, sample_weight, missing_label)
    targets = known_targets(truth, weight)
    if labels is None:
        lists = [np.unique(target.labels) for target in targets]
    else:
        lists = label_lists(labels, targets)
    tables = one_for_each(y_score, targets, 2, "y_score", "(n_samples, n_classes)")
    scores = []
    for target, listed, table in zip(targets, lists, tables, strict=True):
        known = _check_scores(table, target, (len(truth), len(listed)), k, labels is None)
        scores.append(_top_k_sensitivity(target.codes(listed), known, k, target.weight))
    return average(scores, multioutput)


def _check_scores(
    table: Any, target: KnownTarget, shape: tuple[int, int], k: int, found_labels: bool
) -> NDArray:
    """Check the scores of one target, and keep those of the samples that count."""
    place = target.place("y_score")
    table = np.asarray(table)
    if table.shape != shape:
        advice = " Pass labels if y_true does not hold all of them." if found_labels else ""
        raise ValueError(
            f"{place} must have shape {shape}, a row for every sample and a column for every "
            f"class; got shape {table.shape}.{advice}"
        )
    if k >= shape[1]:
        of = f" of {target.title}" if target.is_one_of_several else ""
        raise ValueError(
            f"k must be less than the number of classes{of}, {shape[1]}, since all of them hold "
            f"the true one; got {k}."
        )
    if table.dtype.kind not in "fiub":
        raise ValueError(f"{place} must hold numbers; got {table.dtype}.")
    table = table[target.rows]
    is_strange = ~np.isfinite(table).all(axis=1)
    if is_strange.any():
        raise ValueError(
            f"{place} must be finite where y_true has a label; got {short(table[is_strange][0])} "
            f"at row {target.rows[is_strange.argmax()]}, and {is_strange.sum()} such rows in all."
        )
    return table


def _top_k_sensitivity(codes: NDArray, scores: NDArray, k: int, weight: NDArray) -> float:
    """Compute the mean over classes of the share of samples with fewer than k scores ahead."""
    true = codes[:, np.newaxis]
    own = np.take_along_axis(scores, true, axis=1)
    is_ahead = (scores > own) | ((scores == own) & (np.arange(scores.shape[1]) > true))
    # A true class among the k highest is as good as predicted, and any other prediction as bad.
    predicted = np.where(is_ahead.sum(axis=1) < k, codes, -1)
    return mean_sensitivity(codes, predicted, weight)
