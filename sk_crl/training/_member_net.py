"""The skorch net of an ensemble: every member trains on its own folds, and stops by itself."""

from __future__ import annotations

from dataclasses import replace

import torch
from skorch.callbacks import Callback
from torch import Tensor

from sk_crl._averaging import Averaging
from sk_crl.training._data import CodedData
from sk_crl.training._folds import Folds, LeftOutBatches, MemberBatches
from sk_crl.training._net import CRLNet
from sk_crl.training._validation import validate_targets

# What counts as an improvement for a member's patience: on classes that separate, the log-loss
# falls for ever.
LEAST_GAIN = 1e-3


class MemberNet(CRLNet):
    """A net whose module is `Members`, of an ensemble.

    Fitted to a tuple of the same data twice: members train on all folds but one, and the one that
    is left out is what they are validated on. Callbacks are told of the samples of all members one
    below the other, each with the scores of its member.

    Parameters
    ----------
    folds : Folds
        Who trains on what.
    averaging : Averaging
        How members are averaged in prediction.
    validation_weight : Tensor of shape (n_members * n_targets, widest)
        How much every class counts for every member: not at all if it has not trained on any.
    monitor : {"valid_loss", "valid_balanced_accuracy"}, default="valid_loss"
        What members are stopped by.
    patience : int, default=10
        Epochs without improvement after which a member stops; training ends with the last.
    **kwargs
        The parameters of `CRLNet`.
    """

    def __init__(
        self,
        *args,
        folds: Folds,
        averaging: Averaging,
        monitor: str = "valid_loss",
        patience: int = 10,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.folds = folds
        self.averaging = averaging
        self.monitor = monitor
        self.patience = patience

    def get_iterator(self, dataset, training=False):
        """Return the batches that members train on, what they leave out, or samples for all."""
        if not isinstance(dataset, CodedData) or dataset.y is None:
            return super().get_iterator(dataset, training)
        if training:
            return MemberBatches(
                dataset, self.folds, self.batch_size, self.criterion_, self.generator
            )
        return LeftOutBatches(dataset, self.folds)

    @property
    def _n_networks(self) -> int:
        return len(self.averaging.weight)

    def __getstate__(self):
        # Folds have a place for every sample, and have done their part.
        return super().__getstate__() | {"folds": None}

    @torch.no_grad()
    def _validate_epoch(self, batches: LeftOutBatches) -> None:
        """Record how every member does on what it leaves out, and how all do in the mean."""
        log_probabilities = self.averaging.by_member(self._validated(batches)).flatten(1, 2)
        if log_probabilities.isnan().any():
            raise FloatingPointError(
                f"A member's scores became infinite or NaN in epoch {len(self.history)}. Lower lr "
                f"(got {self.lr}), or scale the features, for instance with StandardScaler."
            )
        weight = batches.weight
        of_targets = validate_targets(
            log_probabilities.cpu(),
            batches.codes.cpu(),
            self.validation_weight,
            None if weight is None else weight.cpu(),
        )
        of_members = [scores.view(self.averaging.weight.shape).nanmean(1) for scores in of_targets]
        for name, scores, less_is_better in zip(
            ("valid_loss", "valid_balanced_accuracy"), of_members, (True, False), strict=True
        ):
            self.history.record(f"{name}_of_members", scores.tolist())
            self.record(name, scores.nanmean().item(), less_is_better)

    def infer(
        self, X: Tensor, with_features: bool = False, **fit_params
    ) -> tuple[Tensor, Tensor | None]:
        """Compute scores and features; those of samples that all members are given as one."""
        scores, features = super().infer(X, with_features)
        if X.ndim > self.module_.network.sample_ndim + 1:
            return scores, features
        if features is not None:  # (n_samples, d), or for every target, those of all members
            of_members = features.unflatten(1, self.averaging.weight.shape)
            features = of_members.transpose(1, 2).flatten(2)
            features = features[:, 0] if features.shape[1] == 1 else features
        return self.averaging(scores.float()), features

    def _told(self, X: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Say what callbacks are told of a batch: the samples of all members in one."""
        codes = self._of_samples(y)
        is_there = self._is_there(y)
        codes = codes[:, 0] if codes.shape[1] == 1 else codes
        return X.flatten(0, 1)[is_there], codes[is_there]

    def _told_scores(self, scores: Tensor, y: Tensor) -> Tensor:
        """Say what they are told of its scores: those of the member whose sample it is."""
        log_probabilities = self.averaging.by_member(scores).flatten(0, 1)
        return self.averaging.layout.unpad(log_probabilities[self._is_there(y)])

    def _of_samples(self, y: Tensor) -> Tensor:
        """Lay the codes of all members, (n, n_members * n_targets), out below each other."""
        return y.unflatten(1, self.averaging.weight.shape).flatten(0, 1)

    def _is_there(self, y: Tensor) -> Tensor:
        """Whether there is a sample, which has a label, in each place of each member's batch."""
        return (self._of_samples(y) >= 0).any(1)

    @torch.no_grad()
    def left_out_log_probabilities(self, data: CodedData) -> Tensor:
        """Predict every sample by the members that left it out.

        Parameters
        ----------
        data : CodedData
            The samples that the net was fitted to.

        Returns
        -------
        Tensor of shape (n_variants, n_samples, n_targets, widest)
            Log-probabilities; a variant has a member for every fold.
        """
        self.module_.eval()
        batches = LeftOutBatches(data, self.folds)
        of_rows = torch.cat([self.averaging.by_member(self.infer(X)[0]).cpu() for X, _ in batches])
        n_folds, n_members = self.folds.n_folds, self.folds.n_members
        made = torch.zeros(n_members // n_folds, len(data), *of_rows.shape[2:])
        for member in range(n_members):
            rows = batches.rows[:, member]
            is_row = rows >= 0
            made[member // n_folds, rows[is_row]] = of_rows[is_row, member]
        return made

    def average(self, weight: Tensor) -> None:
        """Count the members, (n_members, n_targets), by other weights."""
        self.averaging = replace(self.averaging, weight=weight)


class MembersAtBest(Callback):
    """Keeps the best weights of every member; stops where none has improved for a while."""

    def on_train_begin(self, net, **kwargs):
        """Know of no best epoch yet."""
        self.best_ = torch.full((net.folds.n_members,), torch.inf)
        self.to_beat_ = self.best_
        self.waits_ = torch.zeros(net.folds.n_members, dtype=torch.int64)
        self.tensors_ = [tensor.clone() for tensor in self._tensors(net)]

    def on_epoch_end(self, net, **kwargs):
        """Keep what has improved, and stop where it is time to."""
        scores = torch.tensor(net.history[-1, f"{net.monitor}_of_members"])
        scores = scores if net.monitor == "valid_loss" else -scores
        # Members whose fold has no label that counts train as long as others do.
        is_training = (self.waits_ < net.patience) | scores.isnan()
        has_improved = ((scores < self.best_) | scores.isnan()) & is_training
        self.best_ = torch.where(has_improved, scores, self.best_)
        beats = has_improved & (scores < self.to_beat_ - LEAST_GAIN)
        self.to_beat_ = torch.where(beats, self.best_, self.to_beat_)
        self.waits_ = torch.where(beats, 0, self.waits_ + 1)
        for kept, tensor in zip(self.tensors_, self._tensors(net), strict=True):
            kept[has_improved] = tensor[has_improved]
        if (self.waits_ >= net.patience).all():
            raise KeyboardInterrupt

    def on_train_end(self, net, **kwargs):
        """Return to the best weights of every member."""
        for kept, tensor in zip(self.tensors_, self._tensors(net), strict=True):
            tensor.copy_(kept)
        del self.tensors_

    def _tensors(self, net) -> list[Tensor]:
        """List all tensors of the members, which come first in each."""
        return [tensor.detach() for tensor in net.module_.network.state_dict().values()]
