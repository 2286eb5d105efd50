"""Rows: the loss, forward and backward, beside dense triplets and many cross-entropies."""

from __future__ import annotations

from collections.abc import Iterator

from common import find_data
from losses import (
    CELEBA,
    celeba_batch,
    check_dense,
    make_step,
    power_law_batch,
    torch_cross_entropy,
    with_cross_entropy,
)
from timing import Method, Row, Setting, compare

from sk_crl import ClassRectificationLoss
from sk_crl.datasets import power_law_sizes

BATCH_SIZE = 256
GOALS = {25: 0.25, 175: 0.03}  # by kappa


def loss_rows(setting: Setting) -> Iterator[Row]:
    """Measure the loss of one target beside all its triplets in a tensor."""
    batch = power_law_batch("", BATCH_SIZE, [power_law_sizes(100)]).to(setting.device)
    for kappa, goal in GOALS.items():
        check_dense(batch, kappa)
        ours = ClassRectificationLoss(batch.counts[0].tolist(), kappa=kappa).to(setting.device)
        dense = with_cross_entropy(batch, ours.alpha.item(), kappa)
        yield from compare(
            f"loss, forward and backward, batch {BATCH_SIZE}, 100 classes, kappa={kappa}",
            Method("dense triplets", make_step(batch, dense)),
            [Method("ClassRectificationLoss", make_step(batch, ours), goal)],
            setting,
        )


def targets_rows(setting: Setting) -> Iterator[Row]:
    """Measure the loss of 40 targets beside as many cross-entropies."""
    path = find_data(setting.folder, CELEBA)
    if path is None:
        return
    batch = celeba_batch("", BATCH_SIZE, path).to(setting.device)
    ours = ClassRectificationLoss([c.tolist() for c in batch.counts]).to(setting.device)
    yield from compare(
        f"loss, forward and backward, batch {BATCH_SIZE}, 40 targets x 2",
        Method("40 calls of F.cross_entropy", make_step(batch, torch_cross_entropy(batch))),
        [Method("ClassRectificationLoss", make_step(batch, ours), 1.0)],
        setting,
    )
