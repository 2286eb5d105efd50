"""What the estimators share: from checked data to a trained net."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from sk_crl._checks import (
    check_choice,
    check_device,
    check_finite,
    check_integer,
    check_real,
    check_sample_weight,
    draw_seed,
)
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl._parameters import PrefixedParameters, hide_kwargs
from sk_crl._samples import Samples, as_tensors, from_array
from sk_crl.networks._build import settings_of
from sk_crl.training import MONITORS

if TYPE_CHECKING:
    from sk_crl.training._net import CRLNet

LOGIT_ADJUSTMENTS = (None, "loss", "predict")


class BaseCRL(PrefixedParameters, ABC):
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
        lr: float = 3e-3,
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

    def _all_names(self) -> list[str]:
        """List the names to suggest in place of an unknown one."""
        inner = [f"module__{name}" for name in settings_of(self.module)]
        return [*super()._all_names(), *inner, "optimizer__weight_decay", "optimizer__momentum"]

    # What a kind of labels has to add.

    @abstractmethod
    def _encode(self, y: Any, name: str = "y") -> NDArray[np.int64]:
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
    def _publish(self, distributions: list[ClassDistribution]) -> None:
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
                X_val, y_val, weight = self._validated(X_val, y_val, None, reset=False, kind="_val")
                validation = Samples(X_val, self._encode(y_val, "y_val"), weight)
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

    def _validated(self, X, y, sample_weight, *, reset: bool, kind: str = ""):
        """Check samples; drop those of weight 0, which are as good as absent."""
        X, y = self._validated_samples(X, y, reset=reset, kind=kind)
        weight = check_sample_weight(sample_weight, len(X))
        if not weight.all():
            X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
        return X, y, weight

    def _validated_samples(self, X, y="no_validation", *, reset: bool, kind: str = ""):
        """Check X, and y if it is given; X comes back in float32 and C order."""
        with np.errstate(over="ignore"):  # what float32 cannot hold is found below
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
        names = getattr(self, "feature_names_in_", None)
        check_finite(f"X{kind}", values, names, type(self).__name__)
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
        check_real("lr", self.lr, 0, np.inf, "()")
        check_real("tau", self.tau, 0, np.inf, "[)")
        check_real("validation_fraction", self.validation_fraction, 0, 1, "()")
        if not (self.callbacks is None or isinstance(self.callbacks, list | tuple)):
            raise ValueError(
                f"callbacks must be a list of skorch callbacks, or None; got {self.callbacks!r}."
            )

    def _distributions(self, samples: Samples) -> list[ClassDistribution]:
        """Count the classes of every target, by weight."""
        return [
            ClassDistribution(
                np.bincount(codes[codes >= 0], samples.weight[codes >= 0], minlength=n_classes)
            )
            for codes, n_classes in zip(samples.codes.T, self._layout().n_classes, strict=True)
        ]

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
        from sk_crl._assembly import make_loss, make_net, make_network, own_random_state

        device = check_device(self.device)
        loss = make_loss(self, distributions, self._class_weights(distributions)).to(device)
        n_before = len(before.history) if before else 0
        # Every run of epochs has an order of its own, and a sequence of runs is repeatable.
        with own_random_state(seed + n_before, device) as generator:
            network = deepcopy(before.module_) if before else make_network(self, loss.layout)
            net = make_net(self, network.to(device), loss, distributions, validation is not None)
            net.set_params(max_epochs=max_epochs, device=str(device), generator=generator)
            net.initialize()
            if before:
                net.go_on_from(before)
            net.partial_fit(tuple(s and as_tensors(s, device) for s in (samples, validation)))
        self._publish_training(net, n_before, validation is not None)
        self._publish(distributions)
        self._seed = seed
        self._seen = distributions

    def _publish_training(self, net: CRLNet, n_before: int, has_validation: bool) -> None:
        """Set the fitted attributes that describe the training."""
        losses = [epoch["train_loss"] for epoch in net.history if "train_loss" in epoch]
        if not losses:  # skorch takes an interrupt for a wish to stop here, with what there is
            raise KeyboardInterrupt("Interrupted before the first epoch was over.")
        self.net_ = net
        self.loss_curve_ = losses
        self.n_iter_ = len(losses)
        for stale in ("validation_scores_", "best_validation_score_"):
            vars(self).pop(stale, None)
        if has_validation:
            name, less_is_better = MONITORS[self.monitor]
            scores = [epoch[name] for epoch in net.history[n_before:] if name in epoch]
            self.validation_scores_ = [-score if less_is_better else score for score in scores]
            self.best_validation_score_ = max(self.validation_scores_)

    # Prediction.

    def _scores(self, X) -> torch.Tensor:
        """Predict the network's raw scores, (n_samples, n_columns), after checking X."""
        check_is_fitted(self, "net_")
        return self.net_.scores(from_array(self._validated_samples(X, reset=False)))

    @property
    def module_(self) -> nn.Module:
        """The trained network."""
        return self.net_.module_.network


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
