"""Sensitivity of every class, and the balanced accuracy, which is its mean (Eq. 17-18)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import recall_score

from sk_crl.metrics._targets import (
    average,
    check_multioutput,
    known_targets,
    label_lists,
    predictions,
    read_truth,
)


def class_sensitivities(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    sample_weight: ArrayLike | None = None,
    missing_label: Any = None,
) -> NDArray[np.float64] | list[NDArray[np.float64]]:
    r"""Compute the sensitivity of every class, the share of its samples that are predicted right.

    Also known as recall, or true positive rate:
    :math:`\mathrm{TP}_c / (\mathrm{TP}_c + \mathrm{FN}_c)` of class :math:`c`, as in Eq. 17-18 of
    the paper.

    Parameters
    ----------
    y_true : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
        True labels. NaN, None and NA are missing labels: such a sample takes no part for its
        target.
    y_pred : array-like, sparse array or data frame of the same shape
        Predicted labels; needed where `y_true` has a label.
    labels : array-like of shape (n_classes,), or list of them, optional
        The classes of the target, or of every target in turn, such as an estimator's ``classes_``.
        By default those that `y_true` and `y_pred` hold, sorted.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of every sample; those of weight 0 are as good as absent.
    missing_label : number or str, optional
        A further label that stands for none.

    Returns
    -------
    ndarray of shape (n_classes,), or list of them
        Sensitivities in the order of the labels, NaN for classes without true samples; where
        `y_true` has two dimensions, an array for every target.

    Raises
    ------
    ValueError
        For what are no labels, a target without any, predictions of other targets, rows or types,
        missing ones, and labels of `y_true` that are not among `labels`.

    See Also
    --------
    balanced_accuracy_score : Their mean.

    Examples
    --------
    >>> from sk_crl.metrics import class_sensitivities
    >>> y_true = ["minor", "major", "major", "major", "minor", None]
    >>> y_pred = ["minor", "major", "major", "minor", "major", "major"]
    >>> class_sensitivities(y_true, y_pred, labels=["minor", "major", "other"]).round(2)
    array([0.5 , 0.67,  nan])

    Of two targets:

    >>> y_true = [["red", 1], ["blue", 2], ["red", None]]
    >>> y_pred = [["red", 1], ["red", 1], ["red", 2]]
    >>> class_sensitivities(y_true, y_pred)
    [array([0., 1.]), array([1., 0.])]
    """
    truth, weight = read_truth(y_true, sample_weight, missing_label)
    targets = known_targets(truth, weight)
    predicted = predictions(y_pred, truth, targets, missing_label)
    if labels is None:
        pairs = zip(targets, predicted, strict=True)
        lists = [np.union1d(target.labels, said) for target, said in pairs]
    else:
        lists = label_lists(labels, targets)
    sensitivities = [
        recall_score(
            target.labels,
            said,
            labels=listed,
            average=None,
            sample_weight=target.weight,
            zero_division=np.nan,
        )
        for target, said, listed in zip(targets, predicted, lists, strict=True)
    ]
    return sensitivities[0] if truth.template is None else sensitivities


def balanced_accuracy_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: str = "uniform_average",
    missing_label: Any = None,
) -> float | NDArray[np.float64]:
    """Compute the balanced accuracy, the mean of the classes' sensitivities (Eq. 17-18).

    The mean is over the classes that `y_true` holds, and then over targets. For one target this is
    what scikit-learn's function of the same name computes, without its `adjusted`.

    Parameters
    ----------
    y_true : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
        True labels. NaN, None and NA are missing labels: such a sample takes no part for its
        target.
    y_pred : array-like, sparse array or data frame of the same shape
        Predicted labels; needed where `y_true` has a label.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of every sample; those of weight 0 are as good as absent.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over targets, or the score of every target.
    missing_label : number or str, optional
        A further label that stands for none.

    Returns
    -------
    float or ndarray of shape (n_targets,)
        Balanced accuracy, between 0 and 1.

    Raises
    ------
    ValueError
        For what are no labels, a target without any, and predictions of other targets, rows or
        types, or missing ones.

    See Also
    --------
    balanced_accuracy : The scorer.
    class_sensitivities : Before the mean.

    Examples
    --------
    >>> from sk_crl.metrics import balanced_accuracy_score
    >>> balanced_accuracy_score([0, 0, 0, 1], [0, 0, 0, 0])
    0.5
    >>> y_true = [["red", 0], ["blue", 0], ["red", 0], ["red", 1], [None, 1]]
    >>> y_pred = [["red", 0], ["blue", 0], ["red", 0], ["red", 0], ["red", 1]]
    >>> balanced_accuracy_score(y_true, y_pred)
    0.875
    >>> balanced_accuracy_score(y_true, y_pred, multioutput="raw_values")
    array([1.  , 0.75])
    """
    check_multioutput(multioutput)
    truth, weight = read_truth(y_true, sample_weight, missing_label)
    targets = known_targets(truth, weight)
    predicted = predictions(y_pred, truth, targets, missing_label)
    scores = [
        mean_sensitivity(target.labels, said, target.weight)
        for target, said in zip(targets, predicted, strict=True)
    ]
    return average(scores, multioutput)


def mean_sensitivity(true: NDArray, predicted: NDArray, weight: NDArray) -> float:
    """Compute the mean sensitivity of the classes that have true samples."""
    return recall_score(
        true, predicted, labels=np.unique(true), average="macro", sample_weight=weight
    )
