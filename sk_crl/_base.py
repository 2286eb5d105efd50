"""What the estimators share: from checked data to a trained net."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from sk_crl._checks import (
    check_device,
    check_finite,
    check_integer,
    check_real,
    check_sample_weight,
    draw_seed,
)
from sk_crl._decision import Decision
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl._parameters import PrefixedParameters, hide_kwargs
from sk_crl.loss import ClassRectificationLoss
from sk_crl.loss._rectification import check_choice
from sk_crl.networks._build import ScoresAndFeatures, build_network
from sk_crl.training._data import TensorData
from sk_crl.training._optimizer import find_optimizer

if TYPE_CHECKING:
    from sk_crl.training._net import CRLNet

LOGIT_ADJUSTMENTS = (None, "loss", "predict")
# Monitored quantity -> its name in the net's history, and whether less of it is better.
MONITORS = {
    "balanced_log_loss": ("valid_loss", True),
    "balanced_accuracy": ("valid_balanced_accuracy", False),
}


class Samples(NamedTuple):
    """Checked samples.

    Attributes
    ----------
    X : ndarray of float32, shape (n_samples, ...)
        The samples.
    codes : ndarray of int64, shape (n_samples, n_targets)
        Their class codes, -1 where a label is missing.
    weight : ndarray of float64, shape (n_samples,)
        Their weights, all positive.
    """

    X: NDArray[np.float32]
    codes: NDArray[np.int64]
    weight: NDArray[np.float64]

    def take(self, rows: NDArray) -> Samples:
        """Select samples by index or mask."""
        return Samples(self.X[rows], self.codes[rows], self.weight[rows])


class BaseCRL(PrefixedParameters):
    """Shared base of the estimators; they add what labels look like."""

    _prefixes = ("module__", "optimizer__")

    @hide_kwargs
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "mlp",
        *,
        eta: float = 0.5,
        alpha: float | None = None,
        kappa: int | None = 25,
        rho: float = 0.5,
        level: str = "class",
        comparison: str = "relative",
        margin: float | None = None,
        scope: str = "minority",
        normalize: bool = True,
        bins: int = 100,
        logit_adjustment: str | None = "predict",
        tau: float = 1.0,
        rectify: str = "unadjusted",
        class_weight: str | dict | None = None,
        max_epochs: int = 100,
        lr: float = 1e-3,
        batch_size: int = 128,
        optimizer: str | type[torch.optim.Optimizer] = "adam",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        monitor: str = "balanced_log_loss",
        warm_start: bool = False,
        callbacks: Sequence | None = None,
        device: str = "auto",
        random_state: Any = None,
        verbose: bool | int = False,
        **kwargs,
    ):
        self.module = module
        self.eta = eta
        self.alpha = alpha
        self.kappa = kappa
        self.rho = rho
        self.level = level
        self.comparison = comparison
        self.margin = margin
        self.scope = scope
        self.normalize = normalize
        self.bins = bins
        self.logit_adjustment = logit_adjustment
        self.tau = tau
        self.rectify = rectify
        self.class_weight = class_weight
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.monitor = monitor
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self._set_prefixed(kwargs)

    # What a kind of labels has to add.

    @abstractmethod
    def _encode(self, y: Any) -> NDArray[np.int64]:
        """Turn labels into codes, (n_samples, n_targets), by the classes that are known."""

    @abstractmethod
    def _learn_classes(self, y: Any) -> None:
        """Set `classes_` from labels."""

    @abstractmethod
    def _check_same_classes(self, classes: Any) -> None:
        """Raise ValueError unless `classes` are those known."""

    @abstractmethod
    def _split(self, samples: Samples, seed: int) -> tuple[Samples, Samples]:
        """Split validation samples off, stratified."""

    @abstractmethod
    def _class_weights(self, distributions: list[ClassDistribution]) -> list[NDArray] | None:
        """Turn `class_weight` into a weight for every class of every target."""

    @abstractmethod
    def _layout(self) -> ColumnLayout:
        """Say how the classes of all targets share the columns of the scores."""

    @abstractmethod
    def _publish(
        self, distributions: list[ClassDistribution], loss: ClassRectificationLoss
    ) -> None:
        """Set the fitted attributes that describe the classes."""

    # The way of a fit, from top to bottom.

    def _fit(self, X, y, sample_weight, X_val, y_val):
        """Validate, learn the classes, split validation data off, train."""
        with unchanged_on_error(self):
            self._check_parameters()
            before = self.net_ if self.warm_start and hasattr(self, "net_") else None
            if (X_val is None) != (y_val is None):
                raise ValueError("X_val and y_val must be passed together; got only one of them.")
            X, y, weight = self._validated(X, y, sample_weight, reset=before is None)
            if before is None:
                self._learn_classes(y)
            samples = Samples(X, self._encode(y), weight)
            seed = draw_seed(self.random_state)
            distributions = self._distributions(samples)
            validation = None
            if X_val is not None:
                X_val, y_val, weight = self._validated(X_val, y_val, None, reset=False)
                validation = Samples(X_val, self._encode(y_val), weight)
            elif self.early_stopping:
                samples, validation = self._split(samples, seed)
            self._train(samples, validation, distributions, seed, self.max_epochs, before)
        return self

    def _partial_fit(self, X, y, classes, sample_weight):
        """Train for one epoch on more data, whose classes count to those before."""
        with unchanged_on_error(self):
            self._check_parameters()
            before = getattr(self, "net_", None)
            X, y, weight = self._validated(X, y, sample_weight, reset=before is None)
            if before is None:
                if classes is None:
                    raise ValueError(
                        "classes must be passed on the first call to partial_fit: all the labels "
                        "that will ever occur."
                    )
                self._learn_classes(classes)
            elif classes is not None:
                self._check_same_classes(classes)
            samples = Samples(X, self._encode(y), weight)
            distributions = self._distributions(samples)
            if before is not None:
                distributions = [
                    ClassDistribution(old.counts + new.counts)
                    for old, new in zip(self._seen, distributions, strict=True)
                ]
            seed = draw_seed(self.random_state) if before is None else self._seed
            self._train(samples, None, distributions, seed, 1, before)
        return self

    def _validated(self, X, y, sample_weight, *, reset: bool):
        """Check samples; drop those of weight 0, which are as good as absent."""
        X, y = self._validated_samples(X, y, reset=reset)
        weight = check_sample_weight(sample_weight, len(X))
        if not weight.all():
            X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
        return X, y, weight

    def _validated_samples(self, X, y="no_validation", *, reset: bool):
        """Check X, and y if it is given; X comes back in float32 and C order."""
        checked = validate_data(
            self,
            X,
            y,
            reset=reset,
            dtype=np.float32,
            order="C",
            allow_nd=True,
            ensure_all_finite=False,
        )
        values = checked if isinstance(y, str) else checked[0]
        check_finite(values, getattr(self, "feature_names_in_", None), type(self).__name__)
        if reset:
            self._sample_shape = values.shape[1:]
        elif values.shape[1:] != self._sample_shape:
            raise ValueError(
                f"X has samples of shape {values.shape[1:]}, but {type(self).__name__} was fitted "
                f"with samples of shape {self._sample_shape}."
            )
        return checked

    def _check_parameters(self) -> None:
        """Check the parameters of training; the loss checks its own."""
        check_choice("logit_adjustment", self.logit_adjustment, LOGIT_ADJUSTMENTS)
        if self.rectify == "adjusted" and self.logit_adjustment != "loss":
            raise ValueError(
                "rectify='adjusted' rectifies the scores that logit_adjustment='loss' adjusts; got "
                f"logit_adjustment={self.logit_adjustment!r}."
            )
        check_choice("monitor", self.monitor, tuple(MONITORS))
        check_integer("max_epochs", self.max_epochs, 1)
        check_integer("batch_size", self.batch_size, 1)
        check_integer("patience", self.patience, 1)
        check_real("lr", self.lr, 0, np.inf, closed=False)
        check_real("tau", self.tau, 0, np.finfo(float).max)
        check_real("validation_fraction", self.validation_fraction, 0, 1, closed=False)

    def _distributions(self, samples: Samples) -> list[ClassDistribution]:
        """Count the classes of every target, by weight."""
        return [
            ClassDistribution(
                np.bincount(codes[codes >= 0], samples.weight[codes >= 0], minlength=n_classes)
            )
            for codes, n_classes in zip(samples.codes.T, self._layout().n_classes, strict=True)
        ]

    def _loss(self, distributions: list[ClassDistribution]) -> ClassRectificationLoss:
        """Make the loss."""
        return ClassRectificationLoss(
            [d.counts for d in distributions],
            eta=self.eta,
            alpha=self.alpha,
            kappa=self.kappa,
            rho=self.rho,
            level=self.level,
            comparison=self.comparison,
            margin=self.margin,
            scope=self.scope,
            normalize=self.normalize,
            bins=self.bins,
            class_weight=self._class_weights(distributions),
            tau=self.tau if self.logit_adjustment == "loss" else 0.0,
            rectify=self.rectify,
        )

    def _decision(self, distributions: list[ClassDistribution]) -> Decision:
        """Settle how scores decide."""
        removed = self.tau if self.logit_adjustment == "predict" else 0.0
        offsets = np.concatenate([-removed * d.log_prior for d in distributions])
        return Decision(self._layout(), torch.as_tensor(offsets, dtype=torch.float32))

    def _train(
        self,
        samples: Samples,
        validation: Samples | None,
        distributions: list[ClassDistribution],
        seed: int,
        max_epochs: int,
        before: CRLNet | None,
    ) -> None:
        """Train a net, a new one or one that goes on from another; set the fitted attributes."""
        # Imported here, so that only those who train need skorch.
        from sk_crl.training._net import own_random_state

        device = check_device(self.device)
        loss = self._loss(distributions).to(device)
        n_before = len(before.history) if before else 0
        # Every run of epochs has an order of its own, and a sequence of runs is repeatable.
        with own_random_state(seed + n_before, device) as generator:
            module = deepcopy(before.module_) if before else self._network(loss)
            module.needs_features = loss.needs_features
            net = self._net(module.to(device), loss, validation is not None)
            net.set_params(max_epochs=max_epochs, device=str(device), generator=generator)
            net.set_params(predict_nonlinearity=self._decision(distributions))
            net.initialize()
            if before:
                net.go_on_from(before)
            net.partial_fit(tuple(s and as_tensors(s, device) for s in (samples, validation)))
        self.net_ = net
        self._seed = seed
        self._seen = distributions
        self._publish(distributions, loss)
        self.n_iter_ = len(net.history)
        self.loss_curve_ = list(net.history[:, "train_loss"])
        if validation is not None:
            name, less_is_better = MONITORS[self.monitor]
            scores = np.array(net.history[n_before:, name])
            self.validation_scores_ = (-scores if less_is_better else scores).tolist()
            self.best_validation_score_ = max(self.validation_scores_)

    def _decision(self, distributions: list[ClassDistribution]) -> Decision:
        """Settle how scores decide."""
        removed = self.tau if self.logit_adjustment == "predict" else 0.0
        offsets = np.concatenate([-removed * d.log_prior for d in distributions])
        return Decision(self._layout(), torch.as_tensor(offsets, dtype=torch.float32))

    def _network(self, loss: ClassRectificationLoss) -> ScoresAndFeatures:
        """Build the network for the data at hand."""
        layout = loss.layout
        told = {
            "n_features": int(np.prod(self._sample_shape)),
            "input_shape": self._sample_shape,
            "n_classes": layout.n_classes[0] if layout.n_targets == 1 else layout.n_classes,
        }
        network = build_network(self.module, told, self._prefixed("module__"))
        return ScoresAndFeatures(network, layout.n_columns, loss.needs_features)

    def _net(
        self, module: ScoresAndFeatures, loss: ClassRectificationLoss, has_validation: bool
    ) -> CRLNet:
        """Make the skorch net, not yet initialized."""
        from sk_crl.training._net import CRLNet, EarlyStopping, EpochProgress

        callbacks = deepcopy(list(self.callbacks or []))
        if has_validation and self.early_stopping:
            monitor, less_is_better = MONITORS[self.monitor]
            stopping = EarlyStopping(
                monitor, self.patience, 0, "abs", lower_is_better=less_is_better, load_best=True
            )
            callbacks.append(("early_stopping", stopping))
        if self.verbose:
            callbacks.append(("progress", EpochProgress()))
        optimizer, settings = find_optimizer(self.optimizer, self._prefixed("optimizer__"))
        return CRLNet(
            module,
            criterion=loss,
            optimizer=optimizer,
            lr=self.lr,
            batch_size=self.batch_size,
            callbacks=callbacks,
            classes=np.arange(loss.layout.widest),
            train_split=None,
            verbose=0,
            **{f"optimizer__{name}": value for name, value in settings.items()},
        )

    # Prediction.

    def _scores(self, X) -> torch.Tensor:
        """Predict the network's raw scores, (n_samples, n_columns), after checking X."""
        check_is_fitted(self, "net_")
        return self.net_.scores(from_array(self._validated_samples(X, reset=False)))

    @property
    def module_(self) -> nn.Module:
        """The trained network."""
        return self.net_.module_.network


def as_tensors(samples: Samples, device: torch.device) -> TensorData:
    """Put samples on the device that trains."""
    codes = torch.from_numpy(samples.codes)
    weighted = (samples.weight != 1).any()
    return TensorData(
        from_array(samples.X).to(device),
        (codes[:, 0] if codes.shape[1] == 1 else codes).to(device),
        torch.as_tensor(samples.weight, dtype=torch.float32).to(device) if weighted else None,
    )


def from_array(X: NDArray[np.float32]) -> torch.Tensor:
    """Share an array's memory with a tensor, or copy it where it must not be written to."""
    return torch.from_numpy(X if X.flags.writeable else X.copy())


@contextmanager
def unchanged_on_error(estimator: BaseCRL) -> Iterator[None]:
    """Put all attributes back where a fit fails: what was fitted before stays as it was."""
    state = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(state)
        raise
