"""What decides by the last layer of a trained network."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sk_crl._base import NetworkClassifier
from sk_crl._ensembling import Ensembling
from sk_crl._layout import ColumnLayout
from sk_crl.baselines._deciding import DecidingWrapper
from sk_crl.networks._last_layer import LastLayer


class Linear(NamedTuple):
    """A layer of scores, of all targets or of one.

    Attributes
    ----------
    weight : ndarray of float64, shape (n_columns, d)
        A vector for every class.
    bias : ndarray of float64, shape (n_columns,)
        A number for every class.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def scores(self, features: NDArray) -> NDArray[np.float64]:
        """Compute scores, (n_samples, n_classes), from features, (n_samples, d)."""
        return features @ self.weight.T + self.bias


class Seen(NamedTuple):
    """What the last layer of a fitted network is given, and what it is.

    Attributes
    ----------
    features : Tensor of shape (n_samples, d) or (n_samples, n_targets, d)
        Its input, shared by the targets or one for each; in float32.
    last : Linear
        Its weights.
    layout : ColumnLayout
        The columns of the scores.
    device : str
        Where the network computes.
    """

    features: torch.Tensor
    last: Linear
    layout: ColumnLayout
    device: str

    def of_targets(self) -> list[NDArray[np.float64]]:
        """List the features of every target, (n_samples, d)."""
        features = self.features.numpy().astype(np.float64)
        n_targets = self.layout.n_targets
        return [features] * n_targets if features.ndim == 2 else list(features.swapaxes(0, 1))

    def layers(self) -> list[Linear]:
        """List the last layers of every target."""
        ends = np.cumsum(self.layout.n_classes)[:-1]
        parts = (np.split(part, ends) for part in self.last)
        return [Linear(weight, bias) for weight, bias in zip(*parts, strict=True)]


def see(estimator: Any, X: Any) -> Seen:
    """Look at the last layer of a fitted network, in a pipeline or frozen, for these samples."""
    if isinstance(estimator, FrozenEstimator):
        return see(estimator.estimator, X)
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            if hasattr(step, "transform"):  # samplers of imbalanced-learn let samples pass
                X = step.transform(X)
        return see(estimator[-1], X)
    check_is_fitted(estimator)
    net = estimator.net_
    with LastLayer(net.module_) as last:
        estimator._scores_of_targets(X)  # raises what a prediction does
    weight, bias = (part.double().numpy() for part in last.weights())
    return Seen(last.inputs(), Linear(weight, bias), net.module_.layout, net.device)


def _network_estimator(estimator: Any) -> Any:
    """Find what trains the network, in a pipeline or frozen."""
    if isinstance(estimator, FrozenEstimator):
        return _network_estimator(estimator.estimator)
    return _network_estimator(estimator[-1]) if isinstance(estimator, Pipeline) else estimator


def _is_ensemble(estimator: Any) -> bool:
    """Whether an estimator trains several networks, or may, or has where it is frozen."""
    inner = _network_estimator(estimator)
    if not isinstance(inner, Ensembling):
        return False
    is_fitted = isinstance(estimator, FrozenEstimator) and hasattr(inner, "net_")
    return inner.n_networks_ > 1 if is_fitted else inner._may_make_ensemble()


class NetworkWrapper(DecidingWrapper):
    """Base of classifiers that put another last layer on the network of one of ours."""

    @property
    def missing_label(self) -> float | str | None:
        """A label that stands for none, as the network's estimator knows it."""
        return getattr(_network_estimator(self.estimator), "missing_label", None)

    def _check_estimator(self) -> None:
        if not isinstance(_network_estimator(self.estimator), NetworkClassifier):
            raise ValueError(
                "estimator must train a network and its last layer: CRLClassifier, "
                "MultiOutputCRLClassifier, what extends them, or a pipeline that ends in one; got "
                f"{self.estimator!r}."
            )
        if _is_ensemble(self.estimator):
            raise ValueError(
                "estimator must train a single network, which has one last layer; got "
                f"{self.estimator!r}, an ensemble. Set n_members=1."
            )

    @abstractmethod
    def _layers(self, seen: Seen) -> list[Linear]:
        """Say what decides in place of the last layer, for every target."""

    def _log_probabilities(self, X: Any) -> list[NDArray[np.float64]]:
        check_is_fitted(self, "estimator_")
        seen = see(self.estimator_, X)
        pairs = zip(self._layers(seen), seen.of_targets(), strict=True)
        return [log_softmax(layer.scores(features), axis=1) for layer, features in pairs]
