"""What classifiers share that take the labels of one target or of several."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags

from sk_crl._labels import Labels, read_labels, read_single_target
from sk_crl._reading import SampleReader
from sk_crl._samples import Samples
from sk_crl._targets import Targets
from sk_crl.metrics import balanced_accuracy_score


class PerTargetClassifier(ClassifierMixin, SampleReader):
    """Classifier of one target, for labels of shape (n_samples,), or of several.

    It has a parameter `missing_label`, and decides for every target by itself.
    """

    missing_label: Any

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags

    @abstractmethod
    def _codes(self, X: ArrayLike) -> NDArray[np.int64]:
        """Predict class codes, (n_samples, n_targets)."""

    def _read_labels(self, y: Any, name: str = "y") -> Labels:
        labels = read_labels(y, self.missing_label, name)
        if labels.template is None:
            return read_single_target(y, name, self.missing_label)
        return labels

    def _learn_samples(self, X: ArrayLike, y: Any, reset: bool = True) -> Samples:
        """Check samples and labels; set the fitted attributes that describe the classes.

        Without `reset` they must have the classes of the last fit.
        """
        given = self._validated(X, y, None, reset=reset)
        if reset:
            self._targets = Targets.learn(given.labels)
        elif (given.labels.template is None) != self._has_one_target:
            shape = "(n_samples,)" if self._has_one_target else "(n_samples, n_targets)"
            raise ValueError(
                f"y must have shape {shape}, as in the last fit, which this one goes on from; or "
                "start afresh with warm_start=False."
            )
        samples = self._encoded(given)
        classes = [known.copy() for known in self._targets.classes]
        self.classes_ = classes[0] if self._has_one_target else classes
        self._publish_targets()
        return samples

    @property
    def _has_one_target(self) -> bool:
        """Whether labels have one dimension."""
        return self._targets.container.template is None

    def predict(self, X: ArrayLike) -> Any:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray, sparse array or data frame
            Labels of shape (n_samples,), or (n_samples, n_targets) in the container that `fit` was
            given.
        """
        codes = self._codes(X)
        if self._has_one_target:
            return self.classes_[codes[:, 0]]
        return self._targets.decode(codes, X.index if hasattr(X, "iloc") else None)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the balanced accuracy, of several targets their mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
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
