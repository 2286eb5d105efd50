"""What the post-hoc methods share: a decision found on out-of-fold predictions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax
from sklearn.utils.validation import check_is_fitted

from sk_crl._distribution import ClassDistribution
from sk_crl.baselines._deciding import DecidingWrapper
from sk_crl.baselines._metric import Metric
from sk_crl.baselines._out_of_fold import (
    Respond,
    knows_several,
    make_splits,
    out_of_fold,
    probabilities_of,
)
from sk_crl.baselines._search import Scores


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


class TunedClassifier(DecidingWrapper):
    """Base of what is found on out-of-fold predictions of a classifier."""

    scoring: Any
    n_jobs: int | None

    # What a method has to add.

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise ValueError for a parameter outside its range."""

    def _response(self) -> tuple[Respond, tuple[int, ...]]:
        """Say what is predicted out of fold, as `out_of_fold` is told; by default probabilities."""
        return probabilities_of, ()

    @abstractmethod
    def _tune_target(
        self, table: NDArray, codes: NDArray, classes: NDArray, weight: NDArray, metric: Metric
    ) -> Any:
        """Find what decides for one target, from predictions, true classes and weights of rows.

        All rows have a label and a weight that is not 0.
        """

    @abstractmethod
    def _publish(self, tuned: list) -> None:
        """Set the fitted attributes that say what was found for every target."""

    # Fitting.

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **fit_params
    ) -> TunedClassifier:
        """Fit the classifier in every fold, find what decides best, fit it on all samples.

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
            For a classifier that cannot be adjusted, parameters outside their range and data that
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
        fitted = self._fit_on_all(X, y, sample_weight, fit_params)
        respond, shape = self._response()
        tables = out_of_fold(
            self.estimator,
            X,
            fitted.y,
            labels=fitted.labels,
            classes=fitted.classes,
            splits=make_splits(self.cv, X, fitted.y, fitted.codes, **fitted.split_params),
            fit_params=fitted.fit_params,
            n_jobs=self.n_jobs,
            respond=respond,
            shape=shape,
        )
        tuned = []
        for table, codes, classes in zip(tables, fitted.codes.T, fitted.classes, strict=True):
            rows = np.flatnonzero((codes >= 0) & (fitted.weight > 0))
            of_rows = table[..., rows, :], codes[rows], classes, fitted.weight[rows]
            tuned.append(self._tune_target(*of_rows, metric))
        self._keep(fitted)
        self._publish(tuned)
        return self


class PostHocClassifier(TunedClassifier):
    """Base of offsets on the log-probabilities of any classifier."""

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

    @abstractmethod
    def _tune(
        self,
        scores: Scores,
        distribution: ClassDistribution,
        classes: NDArray,
        metric: Metric,
    ) -> Tuned:
        """Find the offsets of one target."""

    def _tune_target(
        self, table: NDArray, codes: NDArray, classes: NDArray, weight: NDArray, metric: Metric
    ) -> Tuned:
        distribution = ClassDistribution(np.bincount(codes, weight, len(classes)))
        return self._tune(Scores(_log(table), codes, weight), distribution, classes, metric)

    def _publish(self, tuned: list[Tuned]) -> None:
        self.offsets_ = self._published([found.offsets for found in tuned])
        self.cv_scores_ = self._published([found.cv_scores for found in tuned])

    def _log_probabilities(self, X: Any) -> list[NDArray[np.float64]]:
        check_is_fitted(self, "estimator_")
        several = knows_several(self.estimator_)
        offsets = self.offsets_ if several else [self.offsets_]
        tables = probabilities_of(self.estimator_, X)
        return [log_softmax(_log(p) + b, axis=1) for p, b in zip(tables, offsets, strict=True)]


def _log(probabilities: NDArray) -> NDArray[np.float64]:
    """Take logarithms, minus infinity of 0."""
    with np.errstate(divide="ignore"):
        return np.log(probabilities)
