"""Rows: the instance level beside pytorch-metric-learning's triplet loss and its hard miners.

The same embeddings and labels, unit length, margin 0.5, every class an anchor's (`scope="all"`).
Two of the three rivals compute what a setting of ours computes, and must agree with it: the
hardest triplet of every anchor (kappa=1) and all triplets (kappa=None). The third, all triplets
whose negative is nearer than their positive, stands beside 25 hard samples of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

import torch
from common import skip
from losses import by_tensors, power_law_batch
from timing import Method, Row, Setting, compare, peak_memory
from torch import Tensor

from sk_crl.datasets import power_law_sizes
from sk_crl.loss import class_rectification

N_CLASSES = 100
WIDTH = 64
MARGIN = 0.5
BATCH_SIZE = 256
MEMORY_BATCHES = (64, 128, 256, 512, 1024)
GOAL = 0.5


class Rival(NamedTuple):
    """A loss of theirs: its name, its miner, and the kappa of ours beside it."""

    name: str
    make_miner: Callable[[], Callable] | None
    kappa: int | None
    agrees: bool


def metric_learning_rows(setting: Setting) -> Iterator[Row]:
    """Measure time beside every rival."""
    if is_missing():
        return
    embeddings, targets = make_embeddings(BATCH_SIZE, setting.device)
    for rival in rivals():
        ours = partial(our_loss, kappa=rival.kappa)
        theirs = make_their_loss(rival)
        if rival.agrees:
            check_agreement(ours, theirs, embeddings, targets)
        yield from compare(
            f"instance level, batch {BATCH_SIZE}, {N_CLASSES} classes, {WIDTH} features, "
            f"kappa={rival.kappa}",
            Method(
                f"pytorch-metric-learning, {rival.name}", make_step(theirs, embeddings, targets)
            ),
            [Method("class_rectification", make_step(ours, embeddings, targets), GOAL)],
            setting,
        )


def metric_learning_memory(setting: Setting) -> Iterator[list[object]]:
    """Measure the peak memory of a step at growing batch, in MiB; a line for every loss.

    Ours by tensors: of fused loops, which keep no table of distances, the profiler sees only part.
    """
    if is_missing():
        return
    losses = {}
    for rival in rivals():
        losses[f"class_rectification, kappa={rival.kappa}"] = partial(our_loss, kappa=rival.kappa)
        losses[f"pytorch-metric-learning, {rival.name}"] = make_their_loss(rival)
    for name, loss in losses.items():
        peaks = []
        for n_samples in MEMORY_BATCHES:
            embeddings, targets = make_embeddings(n_samples, setting.device)
            step = by_tensors(make_step(loss, embeddings, targets))
            peaks.append(peak_memory(step, setting.device))
        yield [name, *(f"{peak / 2**20:.2f}" for peak in peaks)]


def is_missing() -> bool:
    """Say aloud where the rival is not installed."""
    if find_spec("pytorch_metric_learning"):
        return False
    skip("pytorch-metric-learning", "not installed; pip install -e '.[benchmarks]'")
    return True


def rivals() -> list[Rival]:
    """List the losses of theirs."""
    from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner

    hard = partial(TripletMarginMiner, margin=MARGIN, type_of_triplets="hard")
    return [
        Rival("TripletMarginMiner('hard')", hard, 25, agrees=False),
        Rival("BatchHardMiner", BatchHardMiner, 1, agrees=True),
        Rival("all triplets", None, None, agrees=True),
    ]


def make_embeddings(n_samples: int, device: str) -> tuple[Tensor, Tensor]:
    """Make embeddings that have learned something of their imbalanced labels."""
    counts = power_law_sizes(N_CLASSES)
    targets = power_law_batch("", n_samples, [counts]).targets[:, 0]
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(N_CLASSES, WIDTH, generator=generator)
    embeddings = centres[targets] + torch.randn(n_samples, WIDTH, generator=generator)
    return embeddings.to(device).requires_grad_(), targets.to(device)


def our_loss(embeddings: Tensor, targets: Tensor, kappa: int | None) -> Tensor:
    """Compute class rectification at instance level; there are no scores to look at."""
    scores = embeddings.new_zeros(len(embeddings), N_CLASSES)
    return class_rectification(
        scores,
        targets,
        features=embeddings,
        level="instance",
        kappa=kappa,
        margin=MARGIN,
        scope="all",
    )[0]


def make_their_loss(rival: Rival) -> Callable[[Tensor, Tensor], Tensor]:
    """Make a triplet loss of pytorch-metric-learning, the mean over the triplets."""
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.reducers import MeanReducer

    triplet_loss = TripletMarginLoss(margin=MARGIN, reducer=MeanReducer())
    miner = rival.make_miner() if rival.make_miner else None

    def loss(embeddings: Tensor, targets: Tensor) -> Tensor:
        return triplet_loss(embeddings, targets, miner(embeddings, targets) if miner else None)

    return loss


def make_step(loss: Callable, embeddings: Tensor, targets: Tensor) -> Callable[[], None]:
    """Make a call that computes a loss and its gradient by the embeddings."""

    def step():
        loss(embeddings, targets).backward()
        embeddings.grad = None

    return step


def check_agreement(ours: Callable, theirs: Callable, embeddings: Tensor, targets: Tensor) -> None:
    """Stop unless two losses agree in value and gradient."""
    values = [loss(embeddings, targets) for loss in (ours, theirs)]
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(v, embeddings)[0] for v in values))
