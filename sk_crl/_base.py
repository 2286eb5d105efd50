"""What the estimators share: from checked data to a trained net."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset

from sk_crl._checks import draw_seed
from sk_crl._class_weight import class_weights
from sk_crl._distribution import ClassDistribution
from sk_crl._labels import Labels
from sk_crl._parameters import replace_kwargs
from sk_crl._prediction import NetworkPredictor
from sk_crl._reading import unchanged_on_error
from sk_crl._sample_checks import warn_of_scales
from sk_crl._samples import Samples
from sk_crl._targets import Targets
from sk_crl._training_parameters import check_parameters
from sk_crl._validation_split import split_validation
from sk_crl.training import MONITORS
from sk_crl.training._device import check_device
from sk_crl.training._samplers import find_batch_sampler

if TYPE_CHECKING:
    from sk_crl.loss._criterion import Criterion
    from sk_crl.networks._build import ScoresAndFeatures
    from sk_crl.training._net import CRLNet
    from sk_crl.training._sampled import SampledEpochs


def trains_in_parts(estimator: NetworkClassifier) -> bool:
    """Say whether an estimator has a `partial_fit`; for `sklearn.utils.metaestimators`."""
    estimator._check_trains_in_parts()
    return True


class NetworkClassifier(NetworkPredictor):
    """Base of classifiers that train a network; they add their loss, and what labels look like."""

    _logit_adjustments: tuple[str | None, ...] = (None, "predict")

    _may_be_auto: tuple[str, ...] = ()  # parameters that may be "auto" beside numbers

    @property
    def _max_epochs(self) -> int:
        """Epochs that training is planned to take."""
        return int(self.max_epochs)

    @property
    def _correction(self) -> str | None:
        """Where the prior is corrected for."""
        return self.logit_adjustment

    @replace_kwargs()
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "mlp",
        *,
        logit_adjustment: str | None = "predict",
        tau: float = 1.0,
        class_weight: str | dict | None = None,
        max_epochs: int = 100,
        lr: float = 3e-3,
        batch_size: int = 128,
        batch_sampler: Any = None,
        optimizer: str | type[torch.optim.Optimizer] = "adam",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        max_time: float | None = None,
        monitor: str = "balanced_log_loss",
        warm_start: bool = False,
        callbacks: Sequence | None = None,
        device: str = "auto",
        precision: str = "float32",
        compile: bool | str = False,
        num_workers: int = 0,
        random_state: Any = None,
        verbose: bool | int = False,
        **kwargs,
    ):
        self.module = module
        self.logit_adjustment = logit_adjustment
        self.tau = tau
        self.class_weight = class_weight
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.batch_sampler = batch_sampler
        self.optimizer = optimizer
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.max_time = max_time
        self.monitor = monitor
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.precision = precision
        self.compile = compile
        self.num_workers = num_workers
        self.random_state = random_state
        self.verbose = verbose
        self._set_prefixed(kwargs)

    # What a loss has to add.

    _advice_on_scales = "Scale the features, for instance with StandardScaler."

    @abstractmethod
    def _make_criterion(
        self, distributions: list[ClassDistribution], class_weight: list[NDArray] | None
    ) -> Criterion:
        """Make what trains on data of these class distributions."""

    def _check_own(self) -> None:
        """Raise ValueError for a parameter outside its range that not all classifiers have."""

    def _begin_fit(self, X: Any, has_validation: bool) -> None:
        """Choose what depends on the samples, as they are given."""

    def _begin_partial_fit(self) -> None:
        """Choose the same for samples that come in parts."""

    def _check_trains_in_parts(self) -> None:
        """Raise AttributeError, with advice, where there can be no `partial_fit`."""

    # What a kind of labels has to add, beside `_read_labels` and `_n_classes_told`.

    @abstractmethod
    def _read_classes(self, classes: Any) -> list[Labels]:
        """Read the classes that `partial_fit` is given, those of every target."""

    @abstractmethod
    def _class_weight_of_targets(self) -> list[str | dict | None]:
        """Say which class weights every target has."""

    @abstractmethod
    def _shown(self, values: list[Any]) -> Any:
        """Show the values of all targets as fitted attributes do."""

    # The way of a fit, from top to bottom.

    def _fit(self, X, y, sample_weight, X_val, y_val):
        """Validate, learn the classes, split validation data off, train."""
        with unchanged_on_error(self):
            self._begin_fit(X, X_val is not None)
            check_parameters(self)
            self._check_own()
            before = self.net_ if self.warm_start and hasattr(self, "net_") else None
            if (X_val is None) != (y_val is None) and not isinstance(X_val, Dataset):
                raise ValueError("X_val and y_val must be passed together; got only one of them.")
            given = self._validated(X, y, sample_weight, reset=before is None)
            if before is None:
                self._targets = Targets.learn(given.labels)
            samples = self._encoded(given)
            if before is None and self._built_module() == "mlp":
                names = getattr(self, "feature_names_in_", None)
                warn_of_scales(samples.X, names, self._advice_on_scales)
            seed = draw_seed(self.random_state)
            distributions = self._distributions(samples)
            for title, distribution in zip(self._targets.titles, distributions, strict=True):
                if not distribution.counts.any():  # going on; a first fit has looked at the classes
                    raise ValueError(f"{title} has no label at all; leave this target out.")
            validation = None
            if X_val is not None:
                given = self._validated(X_val, y_val, None, reset=False, of="_val")
                validation = self._encoded(given, of="_val")
            elif self.early_stopping:
                samples, validation = split_validation(
                    samples, self._targets, self.validation_fraction, seed
                )
            sampled = self._resampled(samples, seed)
            if sampled is not samples:  # the network learns their prior
                distributions = self._distributions(sampled)
            self._train(sampled, validation, distributions, seed, self._max_epochs, before)
        return self

    def _partial_fit(self, X, y, classes, sample_weight):
        """Train for one epoch on more data, whose classes count to those before."""
        with unchanged_on_error(self):
            self._begin_partial_fit()
            check_parameters(self)
            self._check_own()
            before = getattr(self, "net_", None)
            given = self._validated(X, y, sample_weight, reset=before is None)
            if before is None:
                if classes is None:
                    raise ValueError(
                        "classes must be passed on the first call to partial_fit: all the labels "
                        "that will ever occur."
                    )
                self._targets = Targets.declare(self._read_classes(classes), given.labels)
            elif classes is not None:
                self._targets.check_same(self._read_classes(classes))
            seed = draw_seed(self.random_state) if before is None else self._seed
            samples = self._resampled(self._encoded(given), seed)
            seen, shown = (None, None) if before is None else (self._seen, self._drawn)
            distributions = self._distributions(samples, seen)
            self._train(samples, None, distributions, seed, 1, before, shown)
        return self

    def _distributions(
        self, samples: Samples, before: list[ClassDistribution] | None = None
    ) -> list[ClassDistribution]:
        """Count the classes of every target, by weight, and add what was counted before."""
        distributions = []
        for target, classes in enumerate(self._targets.classes):
            codes = samples.codes[:, target]
            has_label = codes >= 0
            counts = np.bincount(codes[has_label], samples.weight[has_label], len(classes))
            if before is not None:
                counts = counts + before[target].counts
            distributions.append(ClassDistribution(counts))
        return distributions

    def _resampled(self, samples: Samples, seed: int) -> Samples:
        """Choose what to train on; here all samples, as they are."""
        return samples

    def _class_weights(self, distributions: list[ClassDistribution]) -> list[NDArray] | None:
        """Turn `class_weight` into a weight for every class of every target."""
        if self.class_weight is None:
            return None
        single = len(distributions) == 1
        return [
            class_weights(
                weight, classes, distribution, "class_weight" + ("" if single else f" of {title}")
            )
            for weight, classes, distribution, title in zip(
                self._class_weight_of_targets(),
                self._targets.classes,
                distributions,
                self._targets.titles,
                strict=True,
            )
        ]

    def _train(
        self,
        samples: Samples,
        validation: Samples | None,
        distributions: list[ClassDistribution],
        seed: int,
        max_epochs: int,
        before: CRLNet | None,
        shown: list[ClassDistribution] | None = None,
    ) -> None:
        """Train a net, a new one or one that goes on from another; set the fitted attributes.

        A batch sampler's class counts add to those `shown` before.
        """
        # Imported here, so that only those who train need skorch.
        from sk_crl._assembly import make_net
        from sk_crl.training._data import CodedData
        from sk_crl.training._net import shown_in
        from sk_crl.training._random import own_random_state

        device = check_device(self.device)
        weights = self._class_weights(distributions)
        criterion = self._make_criterion(distributions, weights).to(device)
        n_before = len(before.history) if before else 0
        # Every run of epochs has an order of its own, and a sequence of runs is repeatable.
        with own_random_state(seed + n_before, device) as generator:
            network = self._network(before)
            has_validation = validation is not None
            net = make_net(
                self, network.to(device), criterion, distributions, weights, has_validation
            )
            net.set_params(
                max_epochs=max_epochs,
                device=str(device),
                generator=generator,
                batch_size=self._size_of_batches(len(samples.codes)),
            )
            net.initialize()
            if before:
                net.go_on_from(before)
            data = [
                s and CodedData.from_samples(s, device, self.num_workers)
                for s in (samples, validation)
            ]
            data[0].sampled = self._sampled_epochs(samples, shown)
            net.partial_fit(tuple(data))  # skorch's X stands for both
        self._publish_training(net, n_before, has_validation)
        first = shown_in(net.history[n_before]) or distributions
        last = net.shown or distributions
        self._publish(distributions, first, last)
        self._seed = seed
        self._seen = distributions
        self._drawn = last

    def _sampled_epochs(
        self, samples: Samples, shown: list[ClassDistribution] | None
    ) -> SampledEpochs | None:
        """Let a batch sampler draw from the samples, if there is any."""
        from sk_crl.training._sampled import SampledEpochs

        sampler = find_batch_sampler(self.batch_sampler)
        if sampler is None:
            return None
        codes, weight = torch.from_numpy(samples.codes), torch.from_numpy(samples.weight)
        before = shown and [torch.from_numpy(d.counts) for d in shown]
        return SampledEpochs(sampler, codes, weight, self._targets.layout.n_classes, before)

    def _size_of_batches(self, n_samples: int) -> int:
        """Choose how many samples make a batch."""
        return int(self.batch_size)

    def _network(self, before: CRLNet | None) -> ScoresAndFeatures:
        """Build the network or, going on, build it around the weights of the one before."""
        network = self._built_network()
        if self.compile:
            network.compile_network(self.compile if isinstance(self.compile, str) else "inductor")
        if before is not None:
            self._take_over(network, before.module_)
        return network

    def _publish_training(self, net: CRLNet, n_before: int, has_validation: bool) -> None:
        """Set the fitted attributes that describe the training."""
        self.net_ = net
        self.loss_curve_ = net.history[:, "train_loss"]
        self.n_iter_ = len(self.loss_curve_)
        for stale in ("validation_scores_", "best_validation_score_"):
            vars(self).pop(stale, None)
        if has_validation:
            name, less_is_better = MONITORS[self.monitor]
            scores = net.history[n_before:, name]
            self.validation_scores_ = [-score if less_is_better else score for score in scores]
            self.best_validation_score_ = max(self.validation_scores_)

    def _publish(
        self,
        distributions: list[ClassDistribution],
        first: list[ClassDistribution],
        last: list[ClassDistribution],
    ) -> None:
        """Set the fitted attributes that describe the classes.

        Beside the training data's there are the classes that batches show, in the first epoch, and
        in the one that the network is from.
        """
        self.classes_ = self._shown([classes.copy() for classes in self._targets.classes])
        self.class_counts_ = self._shown([d.plain_counts for d in distributions])
        self.prior_ = self._shown([d.prior for d in distributions])
        self.omega_ = self._shown([d.omega for d in distributions])
        self.batch_prior_ = self._shown([d.prior for d in last])
