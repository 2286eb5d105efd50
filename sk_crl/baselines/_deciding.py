"""A classifier around another one: it keeps that one fitted, and decides in its own way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_consistent_length, get_tags
from sklearn.utils.metaestimators import available_if

from sk_crl._checks import check_sample_weight
from sk_crl._containers import decode
from sk_crl._labels import Labels
from sk_crl.baselines._out_of_fold import classes_of, knows_several
from sk_crl.baselines._wrapper import ClassifierWrapper
from sk_crl.metrics import balanced_accuracy_score

LEAST_LOG = float(np.log(np.finfo(np.float64).tiny))


class FittedOnAll(NamedTuple):
    """The classifier fitted on all samples, and what its labels are.

    Attributes
    ----------
    estimator : classifier
        Fitted.
    classes : list of ndarray
        Its classes, of every target.
    y : array-like
        The labels as it takes them.
    labels : Labels
        The labels as read.
    codes : ndarray of int64, shape (n_samples, n_targets)
        The labels as places among the classes, -1 where they are missing.
    weight : ndarray of shape (n_samples,)
        The samples' weights.
    fit_params, split_params : dict
        What its fit was told further, and what a splitter is to be told.
    """

    estimator: BaseEstimator
    classes: list[NDArray]
    y: Any
    labels: Labels
    codes: NDArray[np.int64]
    weight: NDArray[np.float64]
    fit_params: dict[str, Any]
    split_params: dict[str, Any]


def _decides_for_one_target(model: DecidingWrapper) -> bool:
    """Whether decisions are one array; before fitting, whether they may be."""
    if hasattr(model, "classes_"):
        return not isinstance(model.classes_, list)
    return get_tags(model.estimator).target_tags.single_output


class DecidingWrapper(ClassifierMixin, ClassifierWrapper, ABC):
    """Base of classifiers that decide by log-probabilities of their own."""

    @abstractmethod
    def _log_probabilities(self, X: Any) -> list[NDArray[np.float64]]:
        """Predict log-probabilities that decide, (n_samples, n_classes) for every target."""

    def _fit_on_all(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, fit_params: dict[str, Any]
    ) -> FittedOnAll:
        """Fit a clone of the classifier; set no attributes."""
        labels, y = self._read_labels(y)
        check_consistent_length(X, y)
        weight = check_sample_weight(sample_weight, len(labels))
        if sample_weight is not None:
            fit_params["sample_weight"] = weight
        fit_params, split_params = self._route(fit_params)
        estimator = clone(self.estimator).fit(X, y, **fit_params)
        classes = classes_of(estimator)
        codes = self._encode(labels, classes)
        return FittedOnAll(estimator, classes, y, labels, codes, weight, fit_params, split_params)

    def _keep(self, fitted: FittedOnAll) -> None:
        """Set the fitted attributes that tell of the classifier."""
        estimator = self.estimator_ = fitted.estimator
        self.classes_ = fitted.classes if knows_several(estimator) else fitted.classes[0]
        self._container = fitted.labels.take(np.empty(0, dtype=int))
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))

    def _published(self, of_targets: list) -> Any:
        """Turn a list with an item for every target into an attribute."""
        return of_targets if isinstance(self.classes_, list) else of_targets[0]

    def _chosen(self, of_targets: list[float]) -> float | NDArray[np.float64]:
        """Turn a list of numbers, one for every target, into an attribute."""
        return np.array(of_targets) if isinstance(self.classes_, list) else of_targets[0]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """Predict the adjusted probabilities of every class.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or list of them
            Columns in the order of `classes_`; an array for every target.
        """
        tables = [np.exp(log) for log in self._log_probabilities(X)]
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
        (log,) = self._log_probabilities(X)
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
        codes = np.column_stack([log.argmax(axis=1) for log in self._log_probabilities(X)])
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
