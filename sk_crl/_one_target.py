"""Classifiers for one target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from torch.utils.data import Dataset

from sk_crl._base import NetworkClassifier, trains_in_parts
from sk_crl._labels import Labels, read_single_target
from sk_crl.metrics import balanced_accuracy_score


class OneTarget(ClassifierMixin, NetworkClassifier):
    """Labels of one target, in and out."""

    def fit(
        self,
        X: ArrayLike | Dataset,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | Dataset | None = None,
        y_val: ArrayLike | None = None,
    ) -> OneTarget:
        """Train.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Training samples: numbers, in any shape that the module accepts. `CRLClassifier` takes
            tables as they are, arrays or data frames with categories and missing values, where it
            makes an ensemble, as it does by default, or ``module="table"``; it encodes them in
            memory. Otherwise, so with ``n_members=1``, a `numpy.memmap` stays on disk, whatever its
            type, and is read a stretch of batches at a time, the next one while this one trains. A
            `torch.utils.data.Dataset` returns a sample, or a tuple of a sample and its label, for
            every index.
        y : array-like of shape (n_samples,), optional
            Their labels. None reads those of a data set: its `targets` or, going through all of it
            once, what comes with its samples.
        sample_weight : array-like of shape (n_samples,), optional
            Weights in the loss, in early stopping and in the class counts, and hence in the prior
            that is removed: to make a class count for more, use `class_weight`. Class rectification
            ignores them, but a sample of weight 0 is as good as absent.
        X_val, y_val : array-like, optional
            Validation samples and labels, in any form that `X` and `y` have. Their scores are
            recorded, and are what early stopping watches.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For what cannot be learned from, and for parameters outside their range; nothing is
            changed then.
        FloatingPointError
            Where the training loss diverges.
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    @available_if(trains_in_parts)
    def partial_fit(
        self,
        X: ArrayLike | Dataset,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> OneTarget:
        """Train for one epoch on more data.

        Class counts, and with them prior and imbalance, add up over all calls.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Training samples, as in `fit`.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), optional
            All labels that will ever occur; required on the first call.
        sample_weight : array-like of shape (n_samples,), optional
            Weights, as in `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For what cannot be learned from, and for parameters outside their range; nothing is
            changed then.
        FloatingPointError
            Where the training loss diverges.
        """
        return self._partial_fit(X, y, classes, sample_weight)

    def decision_function(self, X: ArrayLike | Dataset) -> NDArray[np.float32]:
        """Compute the scores that decide, of which `predict_proba` is the softmax.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Samples, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            One score for every class; for two classes the second's less the first's.

        Raises
        ------
        ValueError
            For samples that are not like those of `fit`, and for ``target_prior="training"`` where
            no prior was corrected for.
        FloatingPointError
            Where the network's scores are infinite or NaN.
        """
        (scores,) = self._scores_of_targets(X)
        return (scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores).numpy()

    def predict_proba(self, X: ArrayLike | Dataset) -> NDArray[np.float32]:
        """Predict the probability of every class.

        With logit adjustment, ``tau=1`` and no class weights, they are those under equal class
        shares, or with ``target_prior="training"`` under the shares of the training data; without
        it, those under the class shares that the network was shown.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Samples, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        ValueError
            For samples that are not like those of `fit`, and for ``target_prior="training"`` where
            no prior was corrected for.
        FloatingPointError
            Where the network's scores are infinite or NaN.
        """
        (probabilities,) = self._probabilities(X)
        return probabilities

    def predict(self, X: ArrayLike | Dataset) -> NDArray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Samples, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            The most probable labels.

        Raises
        ------
        ValueError
            For samples that are not like those of `fit`, and for ``target_prior="training"`` where
            no prior was corrected for.
        FloatingPointError
            Where the network's scores are infinite or NaN.
        """
        codes = self._codes(X)[:, 0]
        return self.classes_[codes]

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the balanced accuracy (Eq. 17-18), not the plain one of other classifiers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Samples, as in `fit`.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), optional
            Weights.

        Returns
        -------
        float
            The mean of the per-class sensitivities.
        """
        return balanced_accuracy_score(y, self.predict(X), sample_weight=sample_weight)

    def _read_labels(self, y: Any, name: str = "y") -> Labels:
        return read_single_target(y, name)

    def _read_classes(self, classes: Any) -> list[Labels]:
        return [read_single_target(classes, "classes")]

    def _class_weight_of_targets(self) -> list[str | dict | None]:
        return [self.class_weight]

    def _n_classes_told(self) -> int:
        return self._targets.layout.n_classes[0]

    def _shown(self, values: list[Any]) -> Any:
        return values[0]
