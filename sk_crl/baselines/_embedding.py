"""What classifiers share that learn an embedding of the samples."""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sk_crl._base import unchanged_on_error
from sk_crl._checks import check_integer, check_real, draw_seed
from sk_crl._labels import short
from sk_crl._parameters import PrefixedParameters
from sk_crl.baselines._per_target import PerTargetClassifier
from sk_crl.loss._inputs import check_features
from sk_crl.networks._build import ScoresAndFeatures, build_network, settings_of
from sk_crl.training._device import check_device
from sk_crl.training._optimizer import find_optimizer

if TYPE_CHECKING:
    from sk_crl.training._data import TensorData


class UnitFeatures(nn.Module):
    """The features of a network, scaled to unit length, for every target.

    Parameters
    ----------
    network : ScoresAndFeatures
        The network. Its scores are not used, and the layer that makes them does not train.
    """

    def __init__(self, network: ScoresAndFeatures):
        super().__init__()
        self.network = network

    def forward(self, X: Tensor) -> Tensor:
        """Compute features, (n_samples, n_targets, d)."""
        layout = self.network.layout
        _, features = self.network.with_features(X)
        features = check_features(features, len(X), layout)
        if features.ndim == 2:  # shared by the targets
            features = features[:, None].expand(-1, layout.n_targets, -1)
        return F.normalize(features, dim=2)


class EmbeddingClassifier(PerTargetClassifier, PrefixedParameters):
    """Base of classifiers that train an embedding and decide by the samples nearby."""

    _prefixes = ("module__", "optimizer__")

    def _all_names(self) -> list[str]:
        """List the names to suggest in place of an unknown one."""
        inner = [f"module__{name}" for name in settings_of(self.module)]
        return [*super()._all_names(), *inner, "optimizer__weight_decay", "optimizer__momentum"]

    @abstractmethod
    def _embedding(self, network: ScoresAndFeatures, data: TensorData) -> nn.Module:
        """Build the embedding on a network that is not yet trained."""

    @abstractmethod
    def _learn(self, data: TensorData, seed: int, generator: torch.Generator) -> None:
        """Train `embedding_`, and learn what decides; set `loss_curve_`."""

    def _check_parameters(self) -> None:
        """Raise ValueError for parameters outside their range."""
        check_integer("max_epochs", self.max_epochs, 1)
        check_integer("batch_size", self.batch_size, 1)
        check_integer("n_neighbors", self.n_neighbors, 1)
        check_real("lr", self.lr, 0, np.inf, "()")

    def fit(self, X: ArrayLike, y: Any) -> EmbeddingClassifier:
        """Train.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Training samples, in any shape that the module accepts.
        y : array-like, data frame or sparse array
            Their labels, of shape (n_samples,), or (n_samples, n_targets) for several targets,
            where labels may be missing.

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
        # Imported here, so that only those who train need skorch.
        from sk_crl.training._data import TensorData
        from sk_crl.training._net import own_random_state

        with unchanged_on_error(self):
            self._check_parameters()
            samples = self._learn_samples(X, y)
            seed = draw_seed(self.random_state)
            device = check_device(self.device)
            data = TensorData.from_samples(samples, device)
            data.y = data.y.view(samples.codes.shape)
            self._warn_of_single_rows(samples.codes)
            with own_random_state(seed, device) as generator:
                network = self._network().to(device)
                self.embedding_ = self._embedding(network, data).to(device)
                self._learn(data, seed, generator)
            self.n_iter_ = len(self.loss_curve_)
        return self

    def _warn_of_single_rows(self, codes: NDArray[np.int64]) -> None:
        """Warn of classes without two rows that could be drawn together."""
        for title, classes, of_target in zip(
            self._targets.titles, self._targets.classes, codes.T, strict=True
        ):
            single = classes[np.bincount(of_target[of_target >= 0]) == 1]
            if len(single):
                warnings.warn(
                    f"Classes {short(single)} of {title} have a single row each: it is kept apart "
                    "from the other classes, and drawn to no other row.",
                    stacklevel=3,
                )

    def _network(self) -> ScoresAndFeatures:
        """Build the network, telling it of the data what it asks for."""
        layout, shape = self._targets.layout, self._sample_shape
        told = {
            "n_features": int(np.prod(shape)),
            "input_shape": shape,
            "n_classes": layout.n_classes[0] if self._has_one_target else layout.n_classes,
        }
        network = build_network(self.module, told, self._prefixed("module__"))
        return ScoresAndFeatures(network, layout, self._targets.titles)

    def _optimizer(self) -> torch.optim.Optimizer:
        """Make the optimizer of all weights."""
        optimizer, settings = find_optimizer(self.optimizer, self._prefixed("optimizer__"))
        return optimizer(self.embedding_.parameters(), lr=self.lr, **settings)

    def _run_epoch(
        self, optimizer: torch.optim.Optimizer, losses: Iterable[Callable[[], Tensor]]
    ) -> float:
        """Take a step for the loss of every batch; return the mean loss."""
        self.embedding_.train()
        total, n_batches = 0.0, 0
        for compute in losses:

            def closure(compute=compute):
                optimizer.zero_grad()
                loss = compute()
                loss.backward()
                return loss

            total = total + optimizer.step(closure).detach()
            n_batches += 1
        mean = float(total) / n_batches
        if not (math.isfinite(mean) and all(p.isfinite().all() for p in self._parameters())):
            raise FloatingPointError(
                f"Training diverged: its loss became {mean}, or weights infinite or NaN. Lower lr "
                f"(got {self.lr}), or scale the features, for instance with StandardScaler."
            )
        return mean

    def _parameters(self) -> Iterable[nn.Parameter]:
        return self.embedding_.parameters()

    @torch.no_grad()
    def _embed(self, X: Tensor) -> Tensor:
        """Embed samples as they are predicted."""
        from sk_crl.training._data import OrderedBatches, TensorData

        self.embedding_.eval()
        device = next(self._parameters()).device
        batches = OrderedBatches(TensorData(X), self.batch_size)
        return torch.cat([self.embedding_(part.to(device)) for part, _ in batches])

    def _embed_trained(self, X: Tensor) -> Tensor:
        """Embed the training samples after training; warn where nothing tells them apart."""
        embedded = self._embed(X)
        if (embedded == embedded[0]).all():
            warnings.warn(
                "The features of all training rows coincide, and cannot tell classes apart: lower "
                f"lr (got {self.lr}), or scale the features, for instance with StandardScaler.",
                stacklevel=4,
            )
        return embedded

    def _embed_array(self, X: ArrayLike) -> Tensor:
        """Check samples to predict for, and embed them."""
        from sk_crl.training._data import from_array

        check_is_fitted(self, "embedding_")
        embedded = self._embed(from_array(self._validated_samples(X, reset=False)))
        if not embedded.isfinite().all():
            row = int((~embedded.isfinite()).flatten(1).any(1).nonzero()[0])
            raise FloatingPointError(
                f"The network's features are infinite or NaN, first for row {row} of X. Scale the "
                "features, for instance with StandardScaler."
            )
        return embedded

    def embed(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute the embedding of samples, of unit length.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, d) or (n_samples, n_targets, d)
            The features that decide.

        Raises
        ------
        FloatingPointError
            Where the network's features are infinite or NaN.
        """
        embedded = self._embed_array(X).cpu().numpy()
        return embedded[:, 0] if embedded.ndim == 3 and self._has_one_target else embedded

    @property
    def module_(self) -> nn.Module:
        """The trained network."""
        return self.embedding_.network.network
