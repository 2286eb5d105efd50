"""What the post-hoc methods share: from any classifier's probabilities to another decision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import check_consistent_length, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sk_crl._checks import check_sample_weight
from sk_crl._containers import decode
from sk_crl._distribution import ClassDistribution
from sk_crl.baselines._metric import Metric
from sk_crl.baselines._out_of_fold import (
    classes_of,
    knows_several,
    make_splits,
    out_of_fold,
    probabilities_of,
)
from sk_crl.baselines._search import Scores
from sk_crl.baselines._wrapper import ClassifierWrapper
from sk_crl.metrics import balanced_accuracy_score

LEAST_LOG = float(np.log(np.finfo(np.float64).tiny))


class Tuned(NamedTuple):
    """What a method finds for one target.

    Attributes
    ----------
    offsets : ndarray of shape (n_classes,)
        What is added to log-probabilities.
    cv_scores : ndarray
        Out-of-fold scores.
    chosen : number or None
        The value of a grid that was chosen.
    """

    offsets: NDArray[np.float64]
    cv_scores: NDArray[np.float64]
    chosen: float | None = None


def _decides_for_one_target(model: PostHocClassifier) -> bool:
    """Whether decisions are one array; before fitting, whether they may be."""
    if hasattr(model, "classes_"):
        return not isinstance(model.classes_, list)
    return get_tags(model.estimator).target_tags.single_output


class PostHocClassifier(ClassifierMixin, ClassifierWrapper, ABC):
    """Shared base: offsets on the log-probabilities of any classifier, found out of fold."""

    def __init__(
        self,
        estimator: Any,
        *,
        scoring: Any = "balanced_accuracy",
        cv: Any = 5,
        n_jobs: int | None = None,
        missing_label: float | str | None = None,
    ):
        self.estimator = estimator
        self.scoring = scoring
        self.cv = cv
        self.n_jobs = n_jobs
        self.missing_label = missing_label

    # What a method has to add.

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise ValueError for a parameter outside its range."""

    @abstractmethod
    def _tune(
        self,
        scores: Scores,
        distribution: ClassDistribution,
        classes: NDArray,
        metric: Metric,
    ) -> Tuned:
        """Find the offsets of one target."""

    def _publish(self, tuned: list[Tuned], several: bool) -> None:
        """Set the fitted attributes that say what was found."""
        self.offsets_ = [found.offsets for found in tuned] if several else tuned[0].offsets
        self.cv_scores_ = [found.cv_scores for found in tuned] if several else tuned[0].cv_scores

    # Fitting.

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **fit_params
    ) -> PostHocClassifier:
        """Fit the classifier in every fold, find the offsets, fit it on all samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training samples, in any shape and container that the classifier takes.
        y : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
            Their labels; missing ones where the classifier takes them.
        sample_weight : array-like of shape (n_samples,), optional
            Weights, for the classifier, the class shares and the metric.
        **fit_params : dict
            What the classifier's `fit` is told further. With scikit-learn's metadata routing what
            it has requested, and what the splitter has.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a classifier without probabilities, parameters outside their range and data that
            cannot be learned from; nothing is changed then.

        Warns
        -----
        UserWarning
            Once, of all classes that are absent from the training part of a fold; and where the
            classifier takes no sample weights.
        """
        self._check_estimator()
        self._check_parameters()
        metric = Metric(self.scoring)
        labels, y = self._read_labels(y)
        check_consistent_length(X, y)
        weight = check_sample_weight(sample_weight, len(labels))
        if sample_weight is not None:
            fit_params["sample_weight"] = weight
        fit_params, split_params = self._route(fit_params)
        estimator = clone(self.estimator).fit(X, y, **fit_params)
        several, classes = knows_several(estimator), classes_of(estimator)
        codes = self._encode(labels, classes)
        tables = out_of_fold(
            self.estimator,
            X,
            y,
            labels=labels,
            classes=classes,
            splits=make_splits(self.cv, X, y, codes, **split_params),
            fit_params=fit_params,
            n_jobs=self.n_jobs,
        )
        tuned = [
            self._tune_target(*of_target, weight, metric)
            for of_target in zip(tables, codes.T, classes, strict=True)
        ]
        self.estimator_ = estimator
        self.classes_ = classes if several else classes[0]
        self._container = labels.take(np.empty(0, dtype=int))
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))
        self._publish(tuned, several)
        return self

    def _tune_target(
        self, table: NDArray, codes: NDArray, classes: NDArray, weight: NDArray, metric: Metric
    ) -> Tuned:
        """Find the offsets of one target, from its rows that have a label and a weight."""
        rows = np.flatnonzero((codes >= 0) & (weight > 0))
        counts = np.bincount(codes[rows], weight[rows], len(classes))
        scores = Scores(_log(table[rows]), codes[rows], weight[rows])
        return self._tune(scores, ClassDistribution(counts), classes, metric)

    # Deciding.

    def _adjusted(self, X: Any) -> list[NDArray[np.float64]]:
        """Predict adjusted log-probabilities, (n_samples, n_classes) for every target."""
        check_is_fitted(self, "estimator_")
        several = knows_several(self.estimator_)
        offsets = self.offsets_ if several else [self.offsets_]
        tables = probabilities_of(self.estimator_, X)
        return [log_softmax(_log(p) + b, axis=1) for p, b in zip(tables, offsets, strict=True)]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """Predict adjusted probabilities: those of the classifier times exp(offsets), normalised.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or list of them
            Columns in the order of `classes_`; an array for every target.
        """
        tables = [np.exp(log) for log in self._adjusted(X)]
        return tables if knows_several(self.estimator_) else tables[0]

    @available_if(_decides_for_one_target)
    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute adjusted log-probabilities, of one target.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            One for every class; for two classes the second's less the first's. Those of
            probability 0 stand at the logarithm of the smallest normal float.
        """
        (log,) = self._adjusted(X)
        log = np.maximum(log, LEAST_LOG)
        return log[:, 1] - log[:, 0] if log.shape[1] == 2 else log

    def predict(self, X: ArrayLike) -> Any:
        """Predict the classes of the highest adjusted probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,), or like y
            Labels; of several targets in the container that `fit` was given.
        """
        codes = np.column_stack([log.argmax(axis=1) for log in self._adjusted(X)])
        if not knows_several(self.estimator_):
            return self.classes_[codes[:, 0]]
        index = X.index if hasattr(X, "iloc") else None
        return decode(codes, self.classes_, self._container, index)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the balanced accuracy, the mean of it over several targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
            True labels; missing ones take no part.
        sample_weight : array-like of shape (n_samples,), optional
            Weights.

        Returns
        -------
        float
            The mean of the per-class sensitivities.
        """
        return balanced_accuracy_score(
            y, self.predict(X), sample_weight=sample_weight, missing_label=self.missing_label
        )


def _log(probabilities: NDArray) -> NDArray[np.float64]:
    """Take logarithms, minus infinity of 0."""
    with np.errstate(divide="ignore"):
        return np.log(probabilities)
