"""The skorch net: its vocabulary and seams, with an epoch that is the network's arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, EpochTimer
from torch import Tensor

from sk_crl._decision import Decision
from sk_crl._distribution import ClassDistribution
from sk_crl.networks._way_back import with_way_back
from sk_crl.training._data import CodedData, OrderedBatches, TrainingBatches
from sk_crl.training._interruptible import InterruptibleNet
from sk_crl.training._random import kept_random_state
from sk_crl.training._sources import make_source
from sk_crl.training._validation import validate

# Settings that an optimizer keeps no state for.
_WITHOUT_STATE = {"lr", "optimizer__weight_decay"}
_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


def shown_in(epoch: dict[str, Any]) -> list[ClassDistribution] | None:
    """Find the classes that a batch sampler showed in an epoch of a history, of every target."""
    counts = epoch.get("class_counts")
    return counts and [ClassDistribution(np.array(of_target)) for of_target in counts]


class CRLNet(InterruptibleNet):
    """A skorch net that trains under a `Criterion`.

    It differs from skorch's in its loop alone: batches are views of tensors, losses are summed on
    the device and read once an epoch, and callbacks hear of single batches only if one of them
    asks to. The history has `train_loss` and, with validation data, `valid_loss` (class-balanced
    log-loss) and `valid_balanced_accuracy`, once an epoch; with a batch sampler it has
    `class_counts`, what the epoch shows of every target's classes.

    Parameters
    ----------
    generator : torch.Generator, optional
        Source of the batches' order.
    validation_weight : Tensor of shape (n_targets, widest), optional
        How much every class counts in validation; by default all count alike.
    by_hand : bool, default=False
        Whether gradients come from `with_way_back`.
    n_epochs : int, default=1
        Epochs that the network's training is planned to take, in all, which the schedules of
        criterion and batch sampler go by.
    precision : {"float32", "bfloat16"}, default="float32"
        What products of the network are computed in.
    removed : float, default=0.0
        How much of the prior is removed in prediction, where a batch sampler changes it.
    **kwargs
        The parameters of `skorch.NeuralNetClassifier`. `module` returns scores and features,
        `predict_nonlinearity` is a `Decision`.
    """

    def __init__(
        self,
        *args,
        generator: torch.Generator | None = None,
        validation_weight: Tensor | None = None,
        by_hand: bool = False,
        n_epochs: int = 1,
        precision: str = "float32",
        removed: float = 0.0,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.generator = generator
        self.validation_weight = validation_weight
        self.by_hand = by_hand
        self.n_epochs = n_epochs
        self.precision = precision
        self.removed = removed
        # The classes that a batch sampler shows in the epoch whose network decides.
        self.shown: list[ClassDistribution] | None = None

    def get_default_callbacks(self):
        """Time the epochs; all else is on request."""
        return [("epoch_timer", EpochTimer())]

    def check_data(self, X, y=None):
        """Accept all data: the estimator has checked them."""

    def get_split_datasets(self, X, y=None, **kwargs):
        """Return training and validation data, given as a tuple of the two."""
        return X if isinstance(X, tuple) else (self.get_dataset(X, y), None)

    def initialize(self):
        """Initialize all parts; of those that hold tensors keep only the initialized ones."""
        super().initialize()
        # skorch maps what it initialized, and no more, to the device of whoever loads a pickle.
        self.module, self.criterion = type(self.module_), type(self.criterion_)
        return self

    def go_on_from(self, other: CRLNet) -> None:
        """Take over another net's history and, from an optimizer like this one, its state."""
        self.history_ = deepcopy(other.history_)
        ours, theirs = self._optimizer_settings(), other._optimizer_settings()
        changed = {k for k in ours | theirs if ours.get(k) != theirs.get(k)}
        is_alike = type(self.optimizer_) is type(other.optimizer_)
        if is_alike and changed <= _WITHOUT_STATE:  # others may ask for state that there is none of
            state = deepcopy(other.optimizer_.state_dict())
            if changed:
                state["param_groups"] = self.optimizer_.state_dict()["param_groups"]
            self.optimizer_.load_state_dict(state)
        for group in self.optimizer_.param_groups:
            group.setdefault("initial_lr", group["lr"])  # schedules that go on ask for it

    def _optimizer_settings(self) -> dict:
        """What the user has set for the optimizer."""
        return {k: v for k, v in vars(self).items() if k == "lr" or k.startswith("optimizer__")}

    def record(self, name: str, value: float, less_is_better: bool = True) -> None:
        """Record a value of this epoch, and whether it is the best so far."""
        before = [epoch[name] for epoch in self.history[:-1] if name in epoch]
        is_best = all(value < old if less_is_better else value > old for old in before)
        self.history.record(name, value)
        self.history.record(f"{name}_best", is_best)

    def get_iterator(self, dataset, training=False):
        """Return the batches of `CodedData`, or what skorch makes of another data set."""
        if not isinstance(dataset, CodedData):
            return super().get_iterator(dataset, training)
        if not training:
            return OrderedBatches(dataset, self.batch_size)
        return TrainingBatches(dataset, self.batch_size, self.criterion_, self.generator)

    def get_dataset(self, X, y=None):
        """Return `X` where it is coded data, else make them of arrays."""
        if isinstance(X, CodedData):
            return X
        source = make_source(X, torch.device(self.device))
        codes = None if y is None else torch.as_tensor(y, device=self.device)
        return CodedData(source, torch.arange(len(X)), codes)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Train, or validate, for one epoch."""
        if iterator is None:
            return
        self.module_.train(training)
        (self._train_epoch if training else self._validate_epoch)(iterator)

    def _train_epoch(self, batches: TrainingBatches) -> None:
        """Take one step for every batch; record the mean loss."""
        self._begin_epoch(batches)
        hears_batches = self._hears_batches()
        self.module_.needs_features = self.criterion_.needs_features
        total, n_samples = torch.zeros((), device=self.device), 0
        if self._goes_by_hand():
            for parameter in self.module_.parameters():
                parameter.grad = torch.zeros_like(parameter)
        for X, y, labels in batches:
            told = self._told(X, y) if hears_batches else None
            if hears_batches:
                self.notify("on_batch_begin", batch=told, training=True)
            predicted = []

            def closure(X=X, labels=labels, told=told, predicted=predicted):
                loss, scores = self._differentiate(X, labels)
                if hears_batches:
                    predicted[:] = [scores.detach()]
                    named = list(self.module_.named_parameters())
                    self.notify("on_grad_computed", named_parameters=named, batch=told)
                return loss

            loss = self.optimizer_.step(closure)
            total.add_(loss, alpha=len(X))
            n_samples += len(X)
            if hears_batches:
                self.history.record_batch("train_loss", loss.item() / self._n_networks)
                self.history.record_batch("train_batch_size", len(told[0]))
                y_pred = self._told_scores(predicted[0], y)
                self.notify("on_batch_end", batch=told, training=True, loss=loss, y_pred=y_pred)
        mean = total.item() / (n_samples * self._n_networks)
        self._check_finite(mean)
        if not hears_batches:  # skorch's checkpoints look for a batch in every epoch
            self.history.new_batch()
            self.history.record_batch("train_loss", mean)
        self.record("train_loss", mean)

    @property
    def _n_networks(self) -> int:
        """How many networks' losses the criterion adds up."""
        return 1

    def _begin_epoch(self, batches: TrainingBatches) -> None:
        """Draw the batches where a sampler does, and tell the loss of the epoch that begins."""
        epoch = len(self.history) - 1
        counts = batches.begin_epoch(epoch, self.n_epochs)
        if counts is not None:
            self.history.record("class_counts", [of_target.tolist() for of_target in counts])
            self.decide_as_after(self.history[-1, "epoch"])
            self.criterion_.set_class_counts([shown.seen for shown in self.shown])
        self.criterion_.begin_epoch(epoch, self.n_epochs)

    def decide_as_after(self, epoch: int) -> None:
        """Remove the prior that an epoch shows, by its number, where a batch sampler changes it."""
        self.shown = shown_in(self.history[epoch - 1])
        if self.shown is not None:
            layout = self.predict_nonlinearity.layout
            self.predict_nonlinearity = Decision.without_prior(layout, self.shown, self.removed)

    def _differentiate(self, X: Tensor, labels: Any) -> tuple[Tensor, Tensor]:
        """Set the gradient of a batch's loss in the parameters; return the loss and the scores."""
        if self._goes_by_hand():
            with torch.inference_mode():
                scores, way_back = with_way_back(self.module_.network, X)
                linear = self.criterion_.linearize(scores, labels)
                way_back(linear.gradients[0])
        else:
            for parameter in self.module_.parameters():
                parameter.grad = None
            scores, features = self.infer(X)
            linear = self.criterion_.linearize(scores, labels, features)
            linear.backward()
        return linear.value, scores

    def _goes_by_hand(self) -> bool:
        """Whether gradients come from `with_way_back`, which knows none of features."""
        return self.by_hand and not self.criterion_.needs_features

    def infer(
        self, X: Tensor, with_features: bool = False, **fit_params
    ) -> tuple[Tensor, Tensor | None]:
        """Compute scores and features in the precision that is asked for."""
        compute = self.module_.with_features if with_features else self.module_
        if self.precision == "float32":
            return compute(X)
        with torch.autocast(torch.device(self.device).type, getattr(torch, self.precision)):
            return compute(X)

    def _check_finite(self, loss: float) -> None:
        """Raise FloatingPointError where training has diverged."""
        if not math.isfinite(loss):
            what = f"training loss became {loss}"
        elif not all(p.isfinite().all() for p in self.module_.parameters()):
            what = "network's weights became infinite or NaN"
        else:
            return
        raise FloatingPointError(
            f"The {what} in epoch {len(self.history)}. {self.criterion_.advice}Lower lr (got "
            f"{self.lr}), or scale the features, for instance with StandardScaler. Samples of a "
            "data set may hold NaN."
        )

    @torch.no_grad()
    def _validate_epoch(self, batches: OrderedBatches) -> None:
        """Record how the network does on the validation data."""
        y = batches.data.y
        log_probabilities = self.predict_nonlinearity.log_probabilities(self._validated(batches))
        codes, sample_weight = (y if y.ndim == 2 else y[:, None]).cpu(), batches.data.sample_weight
        if sample_weight is not None:
            sample_weight = sample_weight.cpu()
        score = validate(log_probabilities.cpu(), codes, self.validation_weight, sample_weight)
        if not math.isfinite(score.log_loss):
            raise FloatingPointError(
                f"The validation loss became {score.log_loss} in epoch {len(self.history)}: the "
                "validation data hold no class that has a weight, or the module returned scores "
                "that are no finite numbers."
            )
        self.record("valid_loss", score.log_loss)
        self.record("valid_balanced_accuracy", score.accuracy, less_is_better=False)

    def _validated(self, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
        """Return the scores of all validation data, and tell callbacks of them."""
        hears_batches = self._hears_batches()
        validated = []
        for X, y in batches:
            told = self._told(X, y) if hears_batches else None
            if hears_batches:
                self.notify("on_batch_begin", batch=told, training=False)
            scores = self.infer(X)[0]
            if hears_batches:
                self.history.record_batch("valid_batch_size", len(told[0]))
                y_pred = self._told_scores(scores, y)
                self.notify("on_batch_end", batch=told, training=False, y_pred=y_pred)
            validated.append(scores)
        return torch.cat(validated)

    def _told(self, X: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Say what callbacks are told of a batch."""
        return X, y

    def _told_scores(self, scores: Tensor, y: Tensor) -> Tensor:
        """Say what they are told of its scores, which `predict_nonlinearity` takes."""
        return scores

    def _hears_batches(self) -> bool:
        """Whether any callback asks to hear of single batches."""
        return any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
            for hook in _BATCH_HOOKS
        )

    def predict(self, X):
        """Predict class codes, (n_samples,) or (n_samples, n_targets)."""
        return self.predict_proba(X).argmax(axis=-1)

    def scores(self, data: CodedData) -> Tensor:
        """Predict raw scores, (n_samples, n_columns)."""
        return self._predicted(data, with_features=False)

    def features(self, data: CodedData) -> Tensor:
        """Compute the features before the scores, (n_samples, d) or (n_samples, n_targets, d)."""
        return self._predicted(data, with_features=True)

    @torch.no_grad()
    def _predicted(self, data: CodedData, with_features: bool) -> Tensor:
        """Predict scores, or features, batch by batch, in float32 on the CPU."""
        self.module_.eval()
        made = []
        with kept_random_state() if data.source.draws else nullcontext():
            for X, _ in self.get_iterator(data):
                # The other, which comes unasked, may be many numbers to keep.
                made.append(self.infer(X, with_features)[int(with_features)].float().cpu())
        return torch.cat(made)
