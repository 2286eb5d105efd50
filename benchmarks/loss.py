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

For CelebA a second table says how many times the step of a single target the 40 together cost. The
single target is the median over several of the 40, by itself in a batch of the same size; all of
them take turns with the rest.

Where there is Numba further tables compare the fused loops with tensors, by batch, classes and
kappa: at class level, and at instance level with 64 features.

Peak memory is that without fused loops: what PyTorch's allocator has handed out at most at any
moment of one call, from entering `forward` to leaving `backward`, in excess of before: intermediate
results, what autograd keeps, the gradient of the scores, kernels' scratch. The profiler records
every allocation and release; their running sum has the peak. Scores and labels themselves are there
before and do not count, nor do C++ containers inside kernels.

    python benchmarks/loss.py --data FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from common import (
    add_data_option,
    find_data,
    print_table,
    spread,
    use_one_thread,
)
from losses import (
    CELEBA,
    Batch,
    by_tensors,
    celeba_batch,
    check_dense,
    make_step,
    power_law_batch,
    torch_cross_entropy,
    with_cross_entropy,
)
from timing import add_timing_options, interleaved, peak_memory
from torch import Tensor

from sk_crl.datasets import power_law_sizes
from sk_crl.loss import ClassRectificationLoss
from sk_crl.loss._fused import fused_loops

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
FUSED_SHAPES = list(product((128, 1024, 4096), (2, 10, 100)))
FUSED_KAPPAS = (5, 25, 100, 256)
N_FEATURES = 64
GROWTH_CLASSES = 100
GROWTH_BATCHES = (64, 128, 256, 512, 1024)
GROWTH_KAPPAS = (5, 10, 25, 50, 100, 200)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_data_option(parser)
    add_timing_options(parser, repeats=15)
    arguments = parser.parse_args()
    use_one_thread()

    for batch in make_batches(arguments.data):
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
                    f"{peak_memory(by_tensors(steps[name])) / 2**20:.2f}",
                ]
                for name, seconds in times.items()
            ],
        )
        if len(batch.counts) == 40:
            print_single_target(batch, arguments.repeats, arguments.clock)
    if fused_loops("class", torch.float32) is not None:
        for level in ("class", "instance"):
            print_fused(level, arguments.repeats, arguments.clock)
    print_growth()


# The batches.


def make_batches(folder: Path | None) -> Iterator[Batch]:
    """Make the three batches; without data the last is skipped, aloud."""
    yield power_law_batch("(256, 100 in one target)", 256, [power_law_sizes(100)])
    counts = [
        zipf_sizes(n, ratio)
        for n, ratio in zip(X_DOMAIN["classes"], X_DOMAIN["ratio"], strict=True)
    ]
    yield power_law_batch("(128, 178 over 9 targets)", 128, counts)
    path = find_data(folder, CELEBA)
    if path is not None:
        yield celeba_batch("(256, 80 over 40 targets, CelebA's labels)", 256, path)


def zipf_sizes(n_classes: int, ratio: int) -> np.ndarray:
    """Sizes of classes that fall like a power of their rank, down to one `ratio`-th."""
    rank = np.arange(1, n_classes + 1)
    return 1e5 * rank ** (-np.log(ratio) / np.log(n_classes))


# The losses.


def make_steps(batch: Batch) -> Iterator[tuple[str, Callable[[], None]]]:
    """Make one call for every loss that computes it and its gradient."""
    yield "cross-entropy", make_step(batch, torch_cross_entropy(batch))
    counts = [c.tolist() for c in batch.counts]
    nothing = ClassRectificationLoss(counts, alpha=0)
    yield "ClassRectificationLoss(alpha=0)", make_step(batch, nothing)
    for kappa in KAPPAS:
        loss = ClassRectificationLoss(counts, kappa=kappa)
        yield f"ClassRectificationLoss(kappa={kappa})", make_step(batch, loss)
    if len(counts) > 1:
        return
    for kappa in KAPPAS:
        check_dense(batch, kappa)
        dense = with_cross_entropy(batch, loss.alpha.item(), kappa)
        yield f"dense triplets, kappa={kappa}", make_step(batch, dense)


def print_single_target(batch: Batch, repeats: int, clock: str) -> None:
    """Print what many targets of two classes cost beside one of them."""
    steps = {"all": make_step(batch, ClassRectificationLoss([c.tolist() for c in batch.counts]))}
    for j in SINGLE_TARGETS:
        scores = batch.scores.detach()[:, 2 * j : 2 * j + 2].clone().requires_grad_()
        single = Batch("", [batch.counts[j]], scores, batch.targets[:, j : j + 1].clone())
        steps[f"target {j}"] = make_step(single, ClassRectificationLoss(batch.counts[j].tolist()))
    times = interleaved(steps, repeats, clock)
    one = np.median([times[f"target {j}"] for j in SINGLE_TARGETS], axis=0)
    print("ClassRectificationLoss() of 40 targets beside one of them:\n")
    print_table(
        ["40 targets, milliseconds", "one target, milliseconds", "ratio"],
        [[spread(1000 * times["all"]), spread(1000 * one), spread(times["all"] / one)]],
    )


def print_fused(level: str, repeats: int, clock: str) -> None:
    """Print what fused loops cost beside tensors."""
    print(f"Fused loops beside tensors at {level} level, the median of their ratios:\n")
    head = ["batch", "classes", *(f"kappa={kappa}" for kappa in FUSED_KAPPAS)]
    print_table(head, (fused_row(level, *shape, repeats, clock) for shape in FUSED_SHAPES))


def fused_row(level: str, n_samples: int, n_classes: int, repeats: int, clock: str) -> list[object]:
    """Measure one shape of batch under every kappa."""
    counts = power_law_sizes(n_classes)
    batch = power_law_batch("", n_samples, [counts])
    features = torch.randn(n_samples, N_FEATURES, generator=torch.Generator().manual_seed(0))
    ratios = []
    for kappa in FUSED_KAPPAS:
        loss = ClassRectificationLoss(counts.tolist(), level=level, kappa=kappa)
        of_features = partial(with_features, loss, features) if level == "instance" else loss
        step = make_step(batch, of_features)
        times = interleaved({"loops": step, "tensors": by_tensors(step)}, repeats, clock)
        ratios.append(f"{np.median(times['loops'] / times['tensors']):.2f}")
    return [n_samples, n_classes, *ratios]


def with_features(loss: Callable, features: Tensor, scores: Tensor, targets: Tensor) -> Tensor:
    """Compute a loss of features as well, whose gradient is computed and not kept."""
    return loss(scores, targets, features.clone().requires_grad_())


# Memory.


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
    counts = power_law_sizes(GROWTH_CLASSES)
    batch = power_law_batch("", n_samples, [counts])
    step = make_step(batch, ClassRectificationLoss(counts.tolist(), kappa=kappa))
    return peak_memory(by_tensors(step))


def per_unit(n_samples: int, row: Sequence[int]) -> list[str]:
    """Divide peaks by batch x (classes + kappa)."""
    return [
        f"{memory / n_samples / (GROWTH_CLASSES + min(kappa, n_samples)):.1f}"
        for memory, kappa in zip(row, GROWTH_KAPPAS, strict=True)
    ]


if __name__ == "__main__":
    main()
