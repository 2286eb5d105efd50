"""Losses of scores and labels alone, differentiated by autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sk_crl._layout import ColumnLayout
from sk_crl.loss._criterion import Criterion
from sk_crl.loss._inputs import check_sample_weight, check_scores, check_targets
from sk_crl.loss._linear import Linearization
from sk_crl.loss._prepared import weigh


class WeighedLabels(NamedTuple):
    """The labels of a batch, and what they weigh.

    Attributes
    ----------
    codes : Tensor of int64, shape (n_samples, n_targets)
        Class codes, -1 where the label is missing.
    weight : Tensor of shape (n_samples, n_targets)
        Sample weight times class weight, 0 where the label is missing.
    """

    codes: Tensor
    weight: Tensor


class LossOfScores(Criterion):
    """Make any module that computes a loss of scores and labels a `Criterion`.

    Parameters
    ----------
    build : callable
        Builds the loss, an nn.Module, from the class counts of every target: once, and again
        wherever they change. The loss is called with scores of shape (n_samples, n_columns), and
        with the codes and the weight of `WeighedLabels`. It returns a scalar that can be
        differentiated. Where it has a method `begin_epoch`, that is told what
        `Criterion.begin_epoch` is.
    class_counts : sequence of sequence of float
        Number of samples of every class, for every target.
    layout : ColumnLayout
        The targets' columns.
    class_weight : list of ndarray of shape (n_classes,), optional
        Weight of every target's classes.
    """

    class_weight: Tensor | None

    def __init__(
        self,
        build: Callable[[Sequence[Sequence[float]]], nn.Module],
        class_counts: Sequence[Sequence[float]],
        layout: ColumnLayout,
        class_weight: list[NDArray] | None = None,
    ):
        super().__init__()
        self.build = build
        self.class_counts = class_counts
        self.loss = build(class_counts)
        self.layout = layout
        weight = None if class_weight is None else layout.table(class_weight)
        self.register_buffer("class_weight", weight, persistent=False)

    def begin_epoch(self, epoch: int, n_epochs: int) -> None:
        """Tell the loss, where it asks to hear of epochs."""
        if hasattr(self.loss, "begin_epoch"):
            self.loss.begin_epoch(epoch, n_epochs)

    def set_class_counts(self, class_counts: Sequence[Sequence[float]]) -> None:
        """Build the loss for other class counts, on the device where it is.

        For the same ones it stays, and so does what it may have gathered in training.
        """
        if all(map(np.array_equal, class_counts, self.class_counts)):
            return
        self.class_counts = class_counts
        before = next(self.loss.buffers(), None)
        loss = self.build(class_counts)
        self.loss = loss if before is None else loss.to(before.device)

    def n_prepared(self, batch_size: int) -> int:
        """Count a code and a weight for every label."""
        return 2 * batch_size * self.layout.n_targets

    def prepare(
        self, targets: Tensor, sample_weight: Tensor | None = None, *, batch_size: int
    ) -> Sequence[WeighedLabels]:
        """Weigh the labels of many batches."""
        codes = check_targets(targets, len(targets), self.layout)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, *codes.shape)
        weight = weigh(codes, sample_weight, self.class_weight, torch.float32)
        pairs = zip(codes.split(batch_size), weight.split(batch_size), strict=True)
        return [WeighedLabels(*pair) for pair in pairs]

    def linearize(
        self, scores: Tensor, labels: WeighedLabels, features: Tensor | None = None
    ) -> Linearization:
        """Compute the loss of a batch and, on a small graph of its own, its gradient."""
        scores = check_scores(scores, self.layout)
        with torch.inference_mode(False), torch.enable_grad():
            # What inference has made cannot require a gradient, but a copy of it can.
            leaf = scores.detach().clone().requires_grad_()
            value = self.loss(leaf, labels.codes, labels.weight)
            is_scalar = isinstance(value, Tensor) and value.ndim == 0 and not value.is_complex()
            gradient = None
            if is_scalar and value.requires_grad:
                (gradient,) = torch.autograd.grad(value, leaf, allow_unused=True)
            if gradient is None:
                raise ValueError(
                    "loss must return a Tensor of shape () computed from the scores, which can be "
                    f"differentiated; {type(self.loss).__name__} returned "
                    f"{value.detach() if isinstance(value, Tensor) else value!r}."
                )
        return Linearization(value.detach(), (scores,), (gradient,))
