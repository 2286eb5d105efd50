"""Rows: what class rectification adds to a training step of a ResNet32.

It is `sk_crl.networks.ResNet32`. Images are random numbers, which cost as much as others.

A step takes seconds on a CPU, and the share that is looked for is smaller than what a busy machine
adds to one. Hence two ways: steps with rectification beside steps without; and the difference of
the two losses by themselves, on the scores of such a step, added to the step without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy

import torch
from losses import make_step, power_law_batch
from timing import Row, Setting, interleaved
from torch import Tensor, nn

from sk_crl import ClassRectificationLoss
from sk_crl.datasets import power_law_sizes
from sk_crl.networks import ResNet32

BATCH_SIZE = 256
N_CLASSES = 100
WORK = f"training step of a ResNet32, batch {BATCH_SIZE}, {N_CLASSES} classes"
PEER = "the step with alpha=0"
OURS = "ClassRectificationLoss"
ALL_CLASSES = "ClassRectificationLoss(scope='all')"


def resnet32_rows(setting: Setting) -> Iterator[Row]:
    """Measure steps and losses in turn."""
    batch = power_law_batch("", BATCH_SIZE, [power_law_sizes(N_CLASSES)])
    batch = batch.to(setting.device)
    counts = batch.counts[0].tolist()
    losses = {
        "alpha=0": ClassRectificationLoss(counts, alpha=0),
        OURS: ClassRectificationLoss(counts),
        ALL_CLASSES: ClassRectificationLoss(counts, scope="all"),
    }
    losses = {name: loss.to(setting.device) for name, loss in losses.items()}
    network = make_network().to(setting.device)
    images = torch.randn(BATCH_SIZE, 3, 32, 32, generator=torch.Generator().manual_seed(0)).to(
        setting.device
    )
    steps = {
        name: make_training_step(deepcopy(network), loss, images, batch.targets)
        for name, loss in losses.items()
    }
    alone = {(name, "alone"): make_step(batch, loss) for name, loss in losses.items()}
    times = interleaved({**steps, **alone}, setting.repeats, setting.clock, setting.device)
    step, loss_alone = times["alpha=0"], times["alpha=0", "alone"]
    for name, goal in {OURS: 1.05 if setting.on_gpu else 1.03, ALL_CLASSES: None}.items():
        added = times[name, "alone"] - loss_alone
        yield Row(WORK, name, PEER, goal, times[name] / step, times[name])
        yield Row(f"{WORK}, by the losses alone", name, PEER, goal, 1 + added / step, step + added)


def make_network() -> ResNet32:
    """Build the network, and leave PyTorch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ResNet32((3, 32, 32), N_CLASSES)


def make_training_step(
    network: nn.Module, loss: Callable, images: Tensor, targets: Tensor
) -> Callable[[], None]:
    """Make a call that takes a step of a training loop."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

    def step():
        optimizer.zero_grad()
        loss(network(images)[0], targets).backward()
        optimizer.step()

    return step
