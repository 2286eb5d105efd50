"""An offset for every class, tuned on out-of-fold probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_crl._checks import check_real
from sk_crl._distribution import ClassDistribution
from sk_crl.baselines._metric import Metric
from sk_crl.baselines._post_hoc import PostHocClassifier, Tuned
from sk_crl.baselines._search import Scores, ascend


class OffsetTunedClassifier(PostHocClassifier):
    r"""Offsets for every class, tuned by cross-validation, around any classifier.

    Decides by :math:`\arg\max_c \log p_c + b_c`. The offsets b maximise the balanced accuracy, or
    another metric, of out-of-fold predictions: what scikit-learn's `TunedThresholdClassifierCV`
    does for two classes, for any number of classes and targets.

    The search starts from no offsets or from logit adjustment (:math:`b_c = -\log \pi_c`),
    whichever scores better, and goes from class to class. Each step looks at all values that make a
    difference and takes the middle of the best interval. As a few samples of a class tell little of
    its offset, it then moves only the part ``count / (count + shrinkage)`` of the way there, with
    the most frequent class as the fixed point. For two classes and ``shrinkage=0`` no threshold on
    the probabilities scores higher out of fold; for more, no change of a single offset does.

    Parameters
    ----------
    estimator : classifier
        Any classifier with `predict_proba`, for one target, or for several where `predict_proba`
        and `classes_` are lists. A `sklearn.frozen.FrozenEstimator` is not fitted again; pass `fit`
        samples that it has not seen, then.
    scoring : str or callable, default="balanced_accuracy"
        What to maximise: a metric of predicted labels by scikit-learn's name, a function of true
        and predicted labels, or a scorer made of one; of every target by itself. The search is
        exact for the balanced accuracy; another metric is tried in at most 100 intervals a step.
    shrinkage : float, default=30
        How many samples (or how much sample weight) what the search starts from is worth.
    cv : int, splitter or iterable, default=5
        A number of folds, stratified like those of
        `sk_crl.model_selection.MultiOutputStratifiedKFold`, or splits that hold every row out once.
        Classes may have fewer samples than there are folds.
    n_jobs : int, optional
        Folds to fit at a time.
    missing_label : number or str, optional
        A label that stands for none, beside NaN, None and NA, where the classifier knows it.

    Attributes
    ----------
    estimator_ : classifier
        The classifier, fitted on all samples.
    offsets_ : ndarray of shape (n_classes,), or list of them
        What is added to log-probabilities; 0 for the most frequent class.
    cv_scores_ : ndarray of shape (3,), or list of them
        The metric of all out-of-fold predictions together: without offsets, with those that the
        search starts from, and with `offsets_`. Chosen on the same predictions, the last is an
        optimistic figure.
    classes_ : ndarray of shape (n_classes,), or list of them
        The labels, those of every target where the classifier knows several.
    n_features_in_ : int
        Number of features, where the classifier knows it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where the classifier knows them.

    Raises
    ------
    ValueError
        For a classifier without probabilities, parameters outside their range and data that
        cannot be learned from. A fit that fails leaves the estimator as it was.

    See Also
    --------
    LogitAdjustedClassifier : Chooses a single number, the better choice for very small classes.
    sklearn.model_selection.TunedThresholdClassifierCV : A threshold for two classes.

    Notes
    -----
    A class of probability 0 is never predicted, whatever its offset.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sk_crl.baselines import OffsetTunedClassifier
    >>> X, y = make_classification(
    ...     1000, n_classes=3, n_informative=4, weights=[0.8, 0.15, 0.05], random_state=0
    ... )
    >>> model = OffsetTunedClassifier(LogisticRegression()).fit(X, y)
    >>> model.cv_scores_.round(2)
    array([0.51, 0.58, 0.6 ])
    """

    def __init__(
        self,
        estimator: Any,
        *,
        scoring: Any = "balanced_accuracy",
        shrinkage: float = 30,
        cv: Any = 5,
        n_jobs: int | None = None,
        missing_label: float | str | None = None,
    ):
        super().__init__(
            estimator, scoring=scoring, cv=cv, n_jobs=n_jobs, missing_label=missing_label
        )
        self.shrinkage = shrinkage

    def _check_parameters(self) -> None:
        check_real("shrinkage", self.shrinkage, 0, math.inf, "[)")

    def _tune(
        self, scores: Scores, distribution: ClassDistribution, classes: NDArray, metric: Metric
    ) -> Tuned:
        measure = metric.of_codes(scores.codes, scores.weight, classes)
        plain, adjusted = np.zeros(len(classes)), -distribution.log_prior
        start = max(plain, adjusted, key=lambda offsets: measure(scores.predict(offsets)))
        found = ascend(scores, start, None if metric.is_balanced_accuracy else measure)
        offsets = shrink(found, start, distribution.counts, self.shrinkage)
        cv_scores = [measure(scores.predict(b)) for b in (plain, start, offsets)]
        return Tuned(offsets, np.array(cv_scores))


def shrink(found: NDArray, start: NDArray, counts: NDArray, shrinkage: float) -> NDArray:
    """Move offsets from the start as far as each class has samples to tell.

    Only differences of offsets count, so all are taken against the most frequent class's.
    """
    largest = counts.argmax()
    start, found = start - start[largest], found - found[largest]
    trust = np.divide(counts, counts + shrinkage, out=np.zeros(len(counts)), where=counts > 0)
    return start + trust * (found - start)
