"""Time and peak memory of the loss, forward and backward, on one thread of a CPU.

Three batches of random scores and imbalanced labels:

- 256 samples, one target of 100 classes, as imbalanced as CIFAR-100^imb(1) (500 to 25 samples);
- 128 samples, 9 targets of 178 classes together, shaped like X-Domain: 6 to 55 classes, imbalance
  ratios from 2 to 4,162 (the paper prints only the smallest and largest number of classes);
- 256 samples, 40 targets of 2 classes: rows of CelebA's real labels, from the data folder.

Beside `ClassRectificationLoss` stand PyTorch's cross-entropy, called once for every target, and,
for the single target, class rectification as one writes it down first: all batch x kappa x kappa
triplets in a tensor. The two must agree in value and gradient, or the benchmark stops.

Times are medians [least, greatest] over repeats in which the methods take turns. Each call checks
and prepares its labels; training prepares those of many batches at once and pays less.

For CelebA a second table says how many times the step of a single target the 40 together cost, and
how many times 40 calls of cross-entropy. The single target is the median over several of the 40, by
itself in a batch of the same size; all of them take turns with the rest.

Peak memory is what PyTorch's allocator has handed out at most at any moment of one call, from
entering `forward` to leaving `backward`, in excess of before: intermediate results, what autograd
keeps, the gradient of the scores, kernels' scratch. The profiler records every allocation and
release; their running sum has the peak. Scores and labels themselves are there before and do not
count, nor do C++ containers inside kernels.

    python benchmarks/loss.py --data FOLDER
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from common import (
    add_data_option,
    add_timing_options,
    find_data,
    interleaved,
    power_law_sizes,
    print_table,
    spread,
    use_one_thread,
)
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile

from sk_crl.loss import ClassRectificationLoss, class_rectification, minority_classes

KAPPAS = (25, 175)
# Category, colour, collar, button, pattern, shape, length, sleeve shape and sleeve length. The
# ratios are those of the paper's Table 5; of the numbers of classes it gives the 55 colours, the 6
# sleeve lengths and the sum, 178, and the others are chosen to fit.
X_DOMAIN = {
    "classes": (20, 55, 25, 12, 27, 10, 7, 16, 6),
    "ratio": (2, 138, 210, 242, 476, 2138, 3401, 4115, 4162),
}
# Those of CelebA's targets that are taken by themselves.
SINGLE_TARGETS = range(0, 40, 5)
GROWTH_CLASSES = 100
GROWTH_BATCHES = (64, 128, 256, 512, 1024)
GROWTH_KAPPAS = (5, 10, 25, 50, 100, 200)


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


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_data_option(parser)
    add_timing_options(parser, repeats=15)
    arguments = parser.parse_args()
    use_one_thread()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or every profile is announced

    for batch in make_batches(arguments.data):
        check_dense(batch)
        steps = dict(make_steps(batch))
        times = interleaved(steps, arguments.repeats, arguments.clock)
        print(f"{batch.name}, {arguments.repeats} repeats, {arguments.clock} time:\n")
        print_table(
            ["loss", "milliseconds", "ratio to cross-entropy", "peak memory, MiB"],
            [
                [
                    name,
                    spread(1000 * seconds),
                    spread(seconds / times["cross-entropy"], 1),
                    f"{peak_memory(steps[name]) / 2**20:.2f}",
                ]
                for name, seconds in times.items()
            ],
        )
        if len(batch.counts) == 40:
            print_ratios(batch, arguments.repeats, arguments.clock)
    print_growth()


# The batches.


def make_batches(folder: Path | None) -> Iterator[Batch]:
    """Make the three batches; without data the last is skipped, aloud."""
    yield power_law_batch("(256, 100 in one target)", 256, [power_law_sizes(100, 500, 25)])
    counts = [
        zipf_sizes(n, ratio)
        for n, ratio in zip(X_DOMAIN["classes"], X_DOMAIN["ratio"], strict=True)
    ]
    yield power_law_batch("(128, 178 over 9 targets)", 128, counts)
    path = find_data(folder, "multioutput/celeba_attributes.npz")
    if path is not None:
        yield celeba_batch("(256, 80 over 40 targets, CelebA's labels)", 256, path)


def zipf_sizes(n_classes: int, ratio: int) -> np.ndarray:
    """Sizes of classes that fall like a power of their rank, down to one `ratio`-th."""
    rank = np.arange(1, n_classes + 1)
    return 1e5 * rank ** (-np.log(ratio) / np.log(n_classes))


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


# The losses.


def make_steps(batch: Batch) -> Iterator[tuple[str, Callable[[], None]]]:
    """Make one call for every loss that computes it and its gradient."""
    plain = torch_cross_entropy(batch)
    counts = [c.tolist() for c in batch.counts]
    yield "cross-entropy", make_step(batch, plain)
    nothing = ClassRectificationLoss(counts, alpha=0)
    yield "ClassRectificationLoss(alpha=0)", make_step(batch, nothing)
    for kappa in KAPPAS:
        loss = ClassRectificationLoss(counts, kappa=kappa)
        yield f"ClassRectificationLoss(kappa={kappa})", make_step(batch, loss)
    if len(counts) > 1:
        return
    alpha = loss.alpha.item()
    for kappa in KAPPAS:

        def dense(scores, targets, kappa=kappa):
            rectification = dense_rectification(scores, targets[:, 0], kappa)
            return alpha * rectification + (1 - alpha) * plain(scores, targets)

        yield f"dense triplets, kappa={kappa}", make_step(batch, dense)


def print_ratios(batch: Batch, repeats: int, clock: str) -> None:
    """Print what many targets of two classes cost beside one of them, and beside cross-entropy."""
    steps = {
        "cross-entropy": make_step(batch, torch_cross_entropy(batch)),
        "all": make_step(batch, ClassRectificationLoss([c.tolist() for c in batch.counts])),
    }
    for j in SINGLE_TARGETS:
        scores = batch.scores.detach()[:, 2 * j : 2 * j + 2].clone().requires_grad_()
        single = Batch("", [batch.counts[j]], scores, batch.targets[:, j : j + 1].clone())
        steps[f"target {j}"] = make_step(single, ClassRectificationLoss(batch.counts[j].tolist()))
    times = interleaved(steps, repeats, clock)
    one = np.median([times[f"target {j}"] for j in SINGLE_TARGETS], axis=0)
    units = {"one target": one, "40 calls of cross-entropy": times["cross-entropy"]}
    print(f"ClassRectificationLoss() of 40 targets, {1000 * np.median(times['all']):.2f} ms:\n")
    print_table(
        ["beside", "milliseconds", "ratio"],
        [[n, spread(1000 * unit), spread(times["all"] / unit)] for n, unit in units.items()],
    )


def make_step(batch: Batch, loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], None]:
    """Make a call that computes a loss and its gradient by the scores."""

    def step():
        loss(batch.scores, batch.targets).backward()
        batch.scores.grad = None

    return step


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
    is_positive = same & ~torch.eye(n_samples, dtype=torch.bool) & is_minority[:, None]
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


def check_dense(batch: Batch) -> None:
    """Stop unless the package and the dense triplets agree, where both can be computed."""
    if len(batch.counts) > 1:
        return
    for kappa in KAPPAS:
        ours = class_rectification(batch.scores, batch.targets, kappa=kappa)[0]
        dense = dense_rectification(batch.scores, batch.targets[:, 0], kappa)
        torch.testing.assert_close(ours, dense)
        gradients = (torch.autograd.grad(value, batch.scores)[0] for value in (ours, dense))
        torch.testing.assert_close(*gradients)


# Memory.


def peak_memory(action: Callable[[], None]) -> int:
    """Measure the peak of what an action allocates, in bytes; see the head of this file."""
    action()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        action()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        recorded.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = [event for event in events if event["name"] == "[memory]"]
    changes.sort(key=lambda event: (event["ts"], event["args"]["Ev Idx"]))
    return max(accumulate(event["args"]["Bytes"] for event in changes))


def print_growth() -> None:
    """Print how peak memory grows with the batch and with kappa."""
    memory = {n: [growth_peak(n, kappa) for kappa in GROWTH_KAPPAS] for n in GROWTH_BATCHES}
    head = ["batch", *(f"kappa={kappa}" for kappa in GROWTH_KAPPAS)]
    print(f"Peak memory in MiB, one target of {GROWTH_CLASSES} classes, kappa at most the batch:\n")
    print_table(head, [[n, *(f"{m / 2**20:.2f}" for m in row)] for n, row in memory.items()])
    print("The same in bytes per batch x (classes + kappa):\n")
    print_table(head, [[n, *per_unit(n, row)] for n, row in memory.items()])


def growth_peak(n_samples: int, kappa: int) -> int:
    """Measure the peak memory of one batch size and one kappa."""
    counts = power_law_sizes(GROWTH_CLASSES, 500, 25)
    batch = power_law_batch("", n_samples, [counts])
    return peak_memory(make_step(batch, ClassRectificationLoss(counts.tolist(), kappa=kappa)))


def per_unit(n_samples: int, row: Sequence[int]) -> list[str]:
    """Divide peaks by batch x (classes + kappa)."""
    return [
        f"{memory / n_samples / (GROWTH_CLASSES + min(kappa, n_samples)):.1f}"
        for memory, kappa in zip(row, GROWTH_KAPPAS, strict=True)
    ]


if __name__ == "__main__":
    main()
