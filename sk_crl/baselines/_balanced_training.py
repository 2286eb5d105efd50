"""Training of a linear layer on class-balanced draws."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl._layout import ColumnLayout
from sk_crl.training._draws import draw_balanced


def train_balanced(
    features: Tensor,
    codes: Tensor,
    weight: Tensor,
    layout: ColumnLayout,
    *,
    max_epochs: int,
    lr: float,
    batch_size: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, list[float]]:
    """Train a linear layer for every target, from random weights.

    Every batch holds rows of its own for every target, in which all classes are equally frequent.
    Adam takes the steps, with a learning rate that falls to 0 along a cosine.

    Parameters
    ----------
    features : Tensor of shape (n_samples, d) or (n_samples, n_targets, d)
        What the layer is given, shared by the targets or one for each.
    codes : Tensor of int64, shape (n_samples, n_targets)
        Class codes, -1 where a label is missing. Every target has some.
    weight : Tensor of shape (n_samples,)
        Weights of the samples, within their classes; all positive.
    layout : ColumnLayout
        The columns of the scores.
    max_epochs : int
        Passes over as many rows as there are.
    lr : float
        Learning rate at the start.
    batch_size : int
        Rows in a batch.
    generator : torch.Generator
        Source of the weights and of the draws, on the CPU.

    Returns
    -------
    weight : Tensor of shape (n_columns, d)
        The weights.
    bias : Tensor of shape (n_columns,)
        The biases.
    losses : list of float
        The mean loss of every epoch, summed over the targets.
    """
    layers = _Layers(features.shape[-1], layout, generator).to(features.device)
    codes = codes.to(features.device)
    within = _within_classes(codes, weight.to(features.device))
    n_batches = -(-len(codes) // batch_size)
    optimizer = torch.optim.Adam(layers.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max_epochs * n_batches)
    losses = []
    for _ in range(max_epochs):
        total = torch.zeros((), device=features.device)
        for rows in _draws(codes, n_batches, batch_size, generator):
            given = features[rows] if features.ndim == 2 else _of_targets(features, rows)
            each = layers.cross_entropy(given, _of_targets(codes, rows))
            loss = (each * _of_targets(within, rows)).sum() / batch_size
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
        losses.append(total.item() / n_batches)
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(
                f"The loss of the last layer became {losses[-1]} in epoch {len(losses)}. Lower lr "
                f"(got {lr}), or scale the features, for instance with StandardScaler."
            )
    return *layers.columns(), losses


class _Layers(nn.Module):
    """A linear layer for every target, all in one product."""

    def __init__(self, n_inputs: int, layout: ColumnLayout, generator: torch.Generator):
        super().__init__()
        self.layout = layout
        bound = 1 / math.sqrt(n_inputs)  # that of nn.Linear
        for name, width in (("weight", n_inputs), ("bias", 1)):
            drawn = torch.rand(layout.n_targets, layout.widest, width, generator=generator)
            self.register_parameter(name, nn.Parameter((2 * drawn - 1) * bound))
        is_class = torch.arange(layout.widest) < torch.tensor(layout.n_classes)[:, None]
        self.register_buffer("no_class", ~is_class[:, None])

    def cross_entropy(self, features: Tensor, codes: Tensor) -> Tensor:
        """Compute that of every row, (n, n_targets), from features, (n, n_targets, d)."""
        scores = torch.baddbmm(self.bias.mT, features.transpose(0, 1), self.weight.mT)
        scores = scores.masked_fill(self.no_class, -torch.inf)
        return F.cross_entropy(scores.permute(1, 2, 0), codes, reduction="none")

    def columns(self) -> tuple[Tensor, Tensor]:
        """Return weights, (n_columns, d), and biases, (n_columns,)."""
        parts = (part.detach().permute(2, 0, 1) for part in (self.weight, self.bias))
        weight, bias = map(self.layout.unpad, parts)
        return weight.t(), bias[0]


def _of_targets(table: Tensor, rows: Tensor) -> Tensor:
    """Take rows of its own for every target, (n, n_targets, ...)."""
    return table[rows, torch.arange(rows.shape[1], device=rows.device)]


def _within_classes(codes: Tensor, weight: Tensor) -> Tensor:
    """Scale weights so that their mean is 1 in every class, (n_samples, n_targets)."""
    scaled = weight[:, None].repeat(1, codes.shape[1])
    for of_target, column in zip(scaled.unbind(1), codes.unbind(1), strict=True):
        has_label = column >= 0
        labels = column[has_label]
        means = labels.bincount(of_target[has_label]) / labels.bincount().clamp(min=1)
        of_target[has_label] /= means[labels]
    return scaled.float()


def _draws(
    codes: Tensor, n_batches: int, batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Draw the rows of an epoch's batches, (batch_size, n_targets)."""
    drawn = []
    for column in codes.unbind(1):
        has_label = (column >= 0).nonzero()[:, 0]
        # Classes that never occur are not drawn.
        dense = column[has_label].unique(return_inverse=True)[1]
        drawn.append(has_label[draw_balanced(dense, n_batches, batch_size, generator)])
    yield from torch.stack(drawn, 2)
