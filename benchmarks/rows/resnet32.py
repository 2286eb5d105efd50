"""Rows: what class rectification adds to a training step of a ResNet32.

The ResNet of CIFAR (He et al., *Deep Residual Learning*, section 4.2): three stages of five blocks
with 16, 32 and 64 channels, shortcuts without parameters, 0.46 million parameters before the last
layer. Images are random numbers, which cost as much as others.

A step takes seconds on a CPU, and the share that is looked for is smaller than what a busy machine
adds to one. Hence two ways: steps with rectification beside steps without; and the difference of
the two losses by themselves, on the scores of such a step, added to the step without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import pairwise

import torch
from common import power_law_sizes
from losses import make_step, power_law_batch
from timing import Row, Setting, interleaved
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad, relu

from sk_crl import ClassRectificationLoss

BATCH_SIZE = 256
N_CLASSES = 100
N_TRUNK_PARAMETERS = 463_504
WORK = f"training step of a ResNet32, batch {BATCH_SIZE}, {N_CLASSES} classes"
PEER = "the step with alpha=0"
OURS = "ClassRectificationLoss"
ALL_CLASSES = "ClassRectificationLoss(scope='all')"


class Block(nn.Module):
    """Two convolutions around a shortcut; option A where the shape changes."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.stride = 1 if n_in == n_out else 2
        self.added = n_out - n_in
        self.first = nn.Conv2d(n_in, n_out, 3, self.stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out)

    def forward(self, X: Tensor) -> Tensor:
        """Return what the convolutions add to `X`, and `X`."""
        inner = relu(self.first_norm(self.first(X)))
        shortcut = X
        if self.added:  # every second pixel, and channels of zeros
            half = self.added // 2
            shortcut = pad(X[:, :, ::2, ::2], (0, 0, 0, 0, half, half))
        return relu(self.second_norm(self.second(inner)) + shortcut)


class ResNet32(nn.Module):
    """Images of 32 x 32 to scores."""

    def __init__(self, n_classes: int):
        super().__init__()
        widths = [16] * 6 + [32] * 5 + [64] * 5
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 16, 3, 1, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            *(Block(n_in, n_out) for n_in, n_out in pairwise(widths)),
        )
        self.last = nn.Linear(64, n_classes)

    def forward(self, X: Tensor) -> Tensor:
        """Return the scores."""
        return self.last(avg_pool2d(self.trunk(X), 8).flatten(1))


def resnet32_rows(setting: Setting) -> Iterator[Row]:
    """Measure steps and losses in turn."""
    batch = power_law_batch("", BATCH_SIZE, [power_law_sizes(N_CLASSES, 500, 25)])
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
    """Build the network, and check its size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ResNet32(N_CLASSES)
    n_parameters = sum(p.numel() for p in network.trunk.parameters())
    if n_parameters != N_TRUNK_PARAMETERS:
        raise RuntimeError(f"The trunk has {n_parameters} parameters, not {N_TRUNK_PARAMETERS}.")
    return network


def make_training_step(
    network: nn.Module, loss: Callable, images: Tensor, targets: Tensor
) -> Callable[[], None]:
    """Make a call that takes a step of a training loop."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

    def step():
        optimizer.zero_grad()
        loss(network(images), targets).backward()
        optimizer.step()

    return step
