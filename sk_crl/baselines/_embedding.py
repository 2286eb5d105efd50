"""What classifiers share that learn an embedding of the samples."""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.utils.data import Dataset

from sk_crl._checks import check_boolean, check_integer, check_real, draw_seed
from sk_crl._labels import short
from sk_crl._network_estimator import NetworkEstimator
from sk_crl._reading import unchanged_on_error
from sk_crl._sample_checks import validate_samples
from sk_crl.baselines._per_target import PerTargetClassifier
from sk_crl.loss._inputs import check_features
from sk_crl.networks._build import ScoresAndFeatures
from sk_crl.training._device import check_device
from sk_crl.training._optimizer import find_optimizer

if TYPE_CHECKING:
    from sk_crl.training._data import CodedData
    from sk_crl.training._random import GeneratorStates


class Course(NamedTuple):
    """Where training stands when a fit ends, beside the weights.

    Attributes
    ----------
    seed : int
        What the training was begun with.
    generators : GeneratorStates
        What is drawn from next.
    optimizer : torch.optim.Optimizer
        The optimizer, with what it knows of the steps before.
    """

    seed: int
    generators: GeneratorStates
    optimizer: torch.optim.Optimizer


def _settings(optimizer: torch.optim.Optimizer) -> tuple[type, dict[str, Any]]:
    """List what makes an optimizer what it is, the learning rate aside."""
    (group,) = optimizer.state_dict()["param_groups"]
    return type(optimizer), {k: v for k, v in group.items() if k not in ("params", "lr")}


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


class EmbeddingClassifier(PerTargetClassifier, NetworkEstimator):
    """Base of classifiers that train an embedding and decide by the samples nearby."""

    @abstractmethod
    def _embedding(self, network: ScoresAndFeatures, data: CodedData) -> nn.Module:
        """Build the embedding on a network that is not yet trained."""

    @abstractmethod
    def _learn(
        self,
        data: CodedData,
        optimizer: torch.optim.Optimizer,
        seed: int,
        generator: torch.Generator,
    ) -> None:
        """Train `embedding_`, and learn what decides; add to `loss_curve_`."""

    def _check_parameters(self) -> None:
        """Raise ValueError for parameters outside their range."""
        check_boolean("warm_start", self.warm_start)
        check_integer("max_epochs", self.max_epochs, 1)
        check_integer("batch_size", self.batch_size, 1)
        check_integer("n_neighbors", self.n_neighbors, 1)
        check_real("lr", self.lr, 0, np.inf, "()")

    def fit(self, X: ArrayLike | Dataset, y: Any = None) -> EmbeddingClassifier:
        """Train.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), or Dataset
            Training samples, in any shape that the module accepts. They stay where they are, as
            those of `CRLClassifier` do.
        y : array-like, data frame or sparse array, optional
            Their labels, of shape (n_samples,), or (n_samples, n_targets) for several targets,
            where labels may be missing. None reads those of a data set.

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
        from sk_crl.training._data import CodedData
        from sk_crl.training._random import GeneratorStates, own_random_state

        with unchanged_on_error(self):
            self._check_parameters()
            before: Course | None = getattr(self, "_course", None) if self.warm_start else None
            samples = self._learn_samples(X, y, reset=before is None)
            self._check_sizes(samples.codes)
            seed = draw_seed(self.random_state) if before is None else before.seed
            device = check_device(self.device)
            data = CodedData.from_samples(samples, device, self.num_workers)
            data.y = data.y.view(samples.codes.shape)
            with own_random_state(seed, device) as generator:
                network = self._built_network().to(device)
                embedding = self._embedding(network, data).to(device)
                optimizer = self._optimizer(embedding)
                if before is not None:
                    self._go_on(before, embedding, optimizer)
                    before.generators.restore(generator, device)
                self.loss_curve_ = [] if before is None else list(self.loss_curve_)
                self.embedding_ = embedding
                self._learn(data, optimizer, seed, generator)
                optimizer.zero_grad()  # frees the memory of gradients
                self._course = Course(seed, GeneratorStates.read(generator, device), optimizer)
            self.n_iter_ = len(self.loss_curve_)
        return self

    def _check_sizes(self, codes: NDArray[np.int64]) -> None:
        """Refuse classes without any row; warn of those without two to be drawn together."""
        for title, classes, of_target in zip(
            self._targets.titles, self._targets.classes, codes.T, strict=True
        ):
            sizes = np.bincount(of_target[of_target >= 0], minlength=len(classes))
            if (sizes == 0).any():
                raise ValueError(
                    f"No row has the classes {short(classes[sizes == 0])} of {title}, which the "
                    "last fit has learned. Add some, or start afresh with warm_start=False."
                )
            single = classes[sizes == 1]
            if len(single):
                warnings.warn(
                    f"Classes {short(single)} of {title} have a single row each: it is kept apart "
                    "from the other classes, and drawn to no other row.",
                    stacklevel=3,
                )

    def _n_classes_told(self) -> int | tuple[int, ...]:
        n_classes = self._targets.layout.n_classes
        return n_classes[0] if self._has_one_target else n_classes

    def _optimizer(self, embedding: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of all weights."""
        optimizer, settings = find_optimizer(self.optimizer, self._prefixed("optimizer__"))
        return optimizer(embedding.parameters(), lr=self.lr, **settings)

    def _go_on(
        self, before: Course, embedding: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Take over the weights and, from an optimizer of the same settings, its state."""
        self._take_over(embedding, self.embedding_)
        if _settings(before.optimizer) == _settings(optimizer):
            state = deepcopy(before.optimizer.state_dict()["state"])
            optimizer.load_state_dict(optimizer.state_dict() | {"state": state})

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
    def _embed(self, data: CodedData) -> Tensor:
        """Embed samples as they are predicted."""
        from sk_crl.training._data import OrderedBatches

        self.embedding_.eval()
        return torch.cat([self.embedding_(X) for X, _ in OrderedBatches(data, self.batch_size)])

    def _embed_trained(self, data: CodedData) -> Tensor:
        """Embed the training samples after training; warn where nothing tells them apart."""
        from sk_crl.training._random import kept_random_state

        with kept_random_state():  # a data set may draw, where a longer fit would not
            embedded = self._embed(data)
        if (embedded == embedded[0]).all():
            warnings.warn(
                "The features of all training rows coincide, and cannot tell classes apart: lower "
                f"lr (got {self.lr}), or scale the features, for instance with StandardScaler.",
                stacklevel=4,
            )
        return embedded

    def _embedded(self, X: ArrayLike | Dataset) -> Tensor:
        """Check samples to predict for, and embed them."""
        from sk_crl.training._data import CodedData

        check_is_fitted(self, "embedding_")
        X = validate_samples(self, X, reset=False)
        device = next(self._parameters()).device
        embedded = self._embed(CodedData.unlabelled(X, device, self.num_workers))
        if not embedded.isfinite().all():
            row = int((~embedded.isfinite()).flatten(1).any(1).nonzero()[0])
            raise FloatingPointError(
                f"The network's features are infinite or NaN, first for row {row} of X. Scale the "
                "features, for instance with StandardScaler."
            )
        return embedded

    def features(self, X: ArrayLike | Dataset) -> NDArray[np.float32]:
        """Compute the features that decide, of unit length.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), or Dataset
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, d) or (n_samples, n_targets, d)
            Features that all targets share, or those of every target.

        Raises
        ------
        FloatingPointError
            Where the network's features are infinite or NaN.
        """
        embedded = self._embedded(X).cpu().numpy()
        return embedded[:, 0] if embedded.ndim == 3 and self._has_one_target else embedded

    @property
    def module_(self) -> nn.Module:
        """The trained network."""
        return self.embedding_.network.network
