"""Losses of a batch, to be measured: batches of imbalanced labels, and the rivals' losses.

Class rectification as one writes it down first has all batch x kappa x kappa triplets in a tensor.
It must agree with the package in value and gradient, or a benchmark stops.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sk_crl.loss import _fused, class_rectification, minority_classes

CELEBA = "multioutput/celeba_attributes.npz"


class Batch(NamedTuple):
    """A batch to compute losses of.

    Attributes
    ----------
    name : str
        What it is.
    counts : list of ndarray
        Class counts of the training set that it comes from, one array for every target.
    scores : Tensor of shape (n_samples, n_columns)
        Random scores.
    targets : Tensor of int64, shape (n_samples, n_targets)
        Labels.
    """

    name: str
    counts: list[np.ndarray]
    scores: Tensor
    targets: Tensor

    def to(self, device: str) -> Batch:
        """Put scores and targets on a device."""
        scores = self.scores.detach().to(device).requires_grad_()
        return self._replace(scores=scores, targets=self.targets.to(device))


def power_law_batch(name: str, n_samples: int, counts: list[np.ndarray]) -> Batch:
    """Draw the labels of every target by its class counts."""
    rng = np.random.default_rng(0)
    labels = [rng.choice(len(c), n_samples, p=c / c.sum()) for c in counts]
    return with_scores(name, counts, np.stack(labels, 1))


def celeba_batch(name: str, n_samples: int, path: Path) -> Batch:
    """Draw rows of CelebA's training part."""
    with np.load(path) as file:
        labels = np.unpackbits(file["Y_packed"], axis=1)[:, :40][file["partition"] == 0]
    rows = np.random.default_rng(0).choice(len(labels), n_samples, replace=False)
    return with_scores(name, [np.bincount(y, minlength=2) for y in labels.T], labels[rows])


def with_scores(name: str, counts: list[np.ndarray], labels: np.ndarray) -> Batch:
    """Make a batch of labels, with random scores."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(len(labels), sum(map(len, counts)), generator=generator)
    targets = torch.as_tensor(labels.astype(np.int64))
    return Batch(name, counts, scores.requires_grad_(), targets)


def make_step(batch: Batch, loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], None]:
    """Make a call that computes a loss and its gradient by the scores."""

    def step():
        loss(batch.scores, batch.targets).backward()
        batch.scores.grad = None

    return step


def by_tensors(step: Callable[[], None]) -> Callable[[], None]:
    """Make a call do without fused loops, as it does where there is no Numba."""

    def call():
        loops, _fused.fused_loops = _fused.fused_loops, lambda level, dtype: None
        try:
            step()
        finally:
            _fused.fused_loops = loops

    return call


def torch_cross_entropy(batch: Batch) -> Callable[[Tensor, Tensor], Tensor]:
    """Make PyTorch's cross-entropy, summed over the targets."""
    sizes = [len(c) for c in batch.counts]

    def loss(scores: Tensor, targets: Tensor) -> Tensor:
        pairs = zip(scores.split(sizes, 1), targets.unbind(1), strict=True)
        return sum(cross_entropy(s, t) for s, t in pairs)

    return loss


def dense_rectification(
    scores: Tensor, targets: Tensor, kappa: int, rho: float = 0.5, margin: float = 0.5
) -> Tensor:
    """Class rectification (Eq. 9, class level) by all triplets, batch x kappa x kappa."""
    n_samples, n_classes = scores.shape
    kappa = min(kappa, n_samples)
    same = targets[:, None] == targets
    is_minority = minority_classes(torch.bincount(targets, minlength=n_classes), rho)[targets]
    is_positive = (
        same & ~torch.eye(n_samples, dtype=torch.bool, device=same.device) & is_minority[:, None]
    )
    is_negative = ~same & is_minority[:, None]

    # Row a: everyone's probability of the class of anchor a.
    own = scores.softmax(1).t()[targets]
    positive = own.detach().masked_fill(~is_positive, torch.inf).topk(kappa, largest=False).indices
    negative = own.detach().masked_fill(~is_negative, -torch.inf).topk(kappa).indices
    anchor = own.diagonal()[:, None]
    ahead = (anchor - own.gather(1, positive)).abs()
    behind = anchor - own.gather(1, negative)
    is_triplet = (
        is_positive.gather(1, positive)[:, :, None] & is_negative.gather(1, negative)[:, None, :]
    )
    hinge = (margin + ahead[:, :, None] - behind[:, None, :]).clamp(min=0)
    return (hinge * is_triplet).sum() / is_triplet.sum().clamp(min=1)


def with_cross_entropy(
    batch: Batch, alpha: float, kappa: int
) -> Callable[[Tensor, Tensor], Tensor]:
    """Make the loss of Eq. 8 for a single target, by dense triplets."""
    plain = torch_cross_entropy(batch)

    def loss(scores: Tensor, targets: Tensor) -> Tensor:
        rectification = dense_rectification(scores, targets[:, 0], kappa)
        return alpha * rectification + (1 - alpha) * plain(scores, targets)

    return loss


def check_dense(batch: Batch, kappa: int) -> None:
    """Stop unless the package and the dense triplets agree on a batch of a single target."""
    ours = class_rectification(batch.scores, batch.targets, kappa=kappa)[0]
    dense = dense_rectification(batch.scores, batch.targets[:, 0], kappa)
    torch.testing.assert_close(ours, dense)
    gradients = (torch.autograd.grad(value, batch.scores)[0] for value in (ours, dense))
    torch.testing.assert_close(*gradients)
