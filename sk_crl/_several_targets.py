"""Classifiers for several targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from torch import nn
from torch.utils.data import Dataset

from sk_crl._base import NetworkClassifier, trains_in_parts
from sk_crl._checks import plain
from sk_crl._distribution import ClassDistribution
from sk_crl._labels import Labels, read_labels, read_single_target
from sk_crl._parameters import replace_kwargs
from sk_crl.metrics import balanced_accuracy_score


class SeveralTargets(ClassifierMixin, NetworkClassifier):
    """Labels of several targets, in and out."""

    @replace_kwargs(by=NetworkClassifier.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "mlp",
        *,
        missing_label: float | str | None = None,
        **kwargs,
    ):
        self.missing_label = missing_label
        super().__init__(module, **kwargs)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags

    def fit(
        self,
        X: ArrayLike | Dataset,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | Dataset | None = None,
        y_val: ArrayLike | None = None,
    ) -> SeveralTargets:
        """Train.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Training samples: numbers, in any shape that the module accepts.
            `MultiOutputCRLClassifier` takes tables as they are, arrays or data frames with
            categories and missing values, where it makes an ensemble, as it does by default, or
            ``module="table"``; it encodes them in memory. Otherwise, so with ``n_members=1``, a
            `numpy.memmap` stays on disk, whatever its type, and is read a stretch of batches at a
            time, the next one while this one trains. A `torch.utils.data.Dataset` returns a sample,
            or a tuple of a sample and its label, for every index.
        y : array-like, data frame or sparse array of shape (n_samples, n_targets), optional
            Their labels, in every column of a type of its own, or a multilabel indicator. None
            reads those of a data set: its `targets` or, going through all of it once, what comes
            with its samples.
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
        classes: list[ArrayLike] | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> SeveralTargets:
        """Train for one epoch on more data.

        Class counts, and with them prior and imbalance, add up over all calls.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Training samples, as in `fit`.
        y : array-like, data frame or sparse array of shape (n_samples, n_targets)
            Their labels.
        classes : list of array-like of shape (n_classes,), optional
            All labels that will ever occur, for every target; required on the first call.
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

    def predict_proba(self, X: ArrayLike | Dataset) -> list[NDArray[np.float32]]:
        """Predict the probability of every class of every target.

        With logit adjustment, ``tau=1`` and no class weights, they are those under equal class
        shares, or with ``target_prior="training"`` under the shares of the training data; without
        it, those under the class shares that the network was shown.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Samples, as in `fit`.

        Returns
        -------
        list of ndarray of shape (n_samples, n_classes)
            One array for every target, columns in the order of its `classes_`.

        Raises
        ------
        ValueError
            For samples that are not like those of `fit`, and for ``target_prior="training"`` where
            no prior was corrected for.
        FloatingPointError
            Where the network's scores are infinite or NaN.
        """
        return self._probabilities(X)

    def predict(self, X: ArrayLike | Dataset) -> Any:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Samples, as in `fit`.

        Returns
        -------
        ndarray, sparse array or data frame of shape (n_samples, n_targets)
            The most probable labels, in the container and with the column names that `fit` was
            given. A pandas frame has the index of `X` where `X` is one, too: in a pipeline, where
            the step before passes frames on (``set_output(transform="pandas")``).

        Raises
        ------
        ValueError
            For samples that are not like those of `fit`, and for ``target_prior="training"`` where
            no prior was corrected for.
        FloatingPointError
            Where the network's scores are infinite or NaN.
        """
        codes = self._codes(X)
        return self._targets.decode(codes, X.index if hasattr(X, "iloc") else None)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the mean of the targets' balanced accuracies (Eq. 17-18).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), data frame or Dataset
            Samples, as in `fit`.
        y : array-like, data frame or sparse array of shape (n_samples, n_targets)
            True labels; missing ones take no part.
        sample_weight : array-like of shape (n_samples,), optional
            Weights.

        Returns
        -------
        float
            The mean over targets of the mean of the per-class sensitivities.
        """
        return balanced_accuracy_score(
            y, self.predict(X), sample_weight=sample_weight, missing_label=self.missing_label
        )

    def _read_labels(self, y: Any, name: str = "y") -> Labels:
        labels = read_labels(y, self.missing_label, name)
        if labels.template is None:
            raise ValueError(
                f"{name} must have shape (n_samples, n_targets), a column for every target; got "
                f"shape ({len(labels)},). Use CRLClassifier for one target, or reshape it to "
                "(n_samples, 1)."
            )
        return labels

    def _read_classes(self, classes: Any) -> list[Labels]:
        if not isinstance(classes, list | tuple | np.ndarray):
            raise ValueError(
                "classes must be a list of the classes of every target; got "
                f"{type(classes).__name__}."
            )
        if len(classes) and all(np.ndim(known) == 0 for known in classes):
            classes = [classes]  # those of a single target
        for i, known in enumerate(classes):
            if np.ndim(known) != 1:
                raise ValueError(f"classes[{i}] must be a list of labels; got {plain(known)}.")
        return [
            read_single_target(known, f"classes[{i}]", self.missing_label)
            for i, known in enumerate(classes)
        ]

    def _class_weight_of_targets(self) -> list[str | dict | None]:
        n_targets = len(self._targets.classes)
        for_one = n_targets == 1 and isinstance(self.class_weight, dict)
        if self.class_weight is None or isinstance(self.class_weight, str) or for_one:
            return [self.class_weight] * n_targets
        if not isinstance(self.class_weight, list | tuple) or len(self.class_weight) != n_targets:
            raise ValueError(
                f"class_weight must be None, 'balanced', 'exp' or a list of {n_targets}, one for "
                f"every target; got {self.class_weight!r}."
            )
        return list(self.class_weight)

    def _n_classes_told(self) -> tuple[int, ...]:
        return self._targets.layout.n_classes

    def _shown(self, values: list[Any]) -> Any:
        return np.array(values) if np.isscalar(values[0]) else values

    def _publish(
        self,
        distributions: list[ClassDistribution],
        first: list[ClassDistribution],
        last: list[ClassDistribution],
    ) -> None:
        super()._publish(distributions, first, last)
        self._publish_targets()
