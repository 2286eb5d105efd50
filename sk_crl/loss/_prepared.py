"""What the labels of a batch say, prepared for many batches at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor

from sk_crl._layout import ColumnLayout
from sk_crl.loss._rectification import Rectification, RectifiedLabels


class PreparedLabels(NamedTuple):
    """What the labels of a batch say, the scores aside; `ClassRectificationLoss.prepare` makes it.

    Parameters
    ----------
    codes : Tensor of int64, shape (n_targets, 1, n_samples)
        Class of each sample for each target, 0 where it is missing.
    by_label : Tensor of shape (n_targets, 1, n_samples)
        Derivative of the loss by the log-probability of each label: minus the weight of its
        cross-entropy, 0 where the label is missing.
    rectified : ClassLevelLabels, FusedLabels, InstanceLevelLabels or None
        What rectification needs to know; None where there is nothing to rectify, if that is known.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.loss import ClassRectificationLoss
    >>> loss = ClassRectificationLoss(class_counts=[90, 10])
    >>> first, last = loss.prepare(torch.tensor([0, 1, 0, -1, 1]), batch_size=3)
    >>> last.codes
    tensor([[[0, 1]]])
    >>> loss.compute(torch.zeros(2, 2), last)
    tensor(0.5391)
    """

    codes: Tensor
    by_label: Tensor
    rectified: RectifiedLabels | None


def weigh(
    codes: Tensor, sample_weight: Tensor | None, class_weight: Tensor | None, dtype: torch.dtype
) -> Tensor:
    """Weigh each label in the cross-entropy, (n_samples, n_targets), 0 where it is missing.

    `sample_weight` has shape (n_samples, 1) or, for every label, (n_samples, n_targets).
    """
    weight = (codes >= 0).to(dtype)
    if sample_weight is not None:
        weight = weight * sample_weight
    if class_weight is not None:
        weight = weight * class_weight.t().gather(0, codes.clamp(min=0))
    return weight


def prepare_batches(
    codes: Tensor,
    weight: Tensor,
    alpha: Tensor,
    batch_size: int,
    rectification: Rectification | None,
    layout: ColumnLayout,
) -> list[PreparedLabels]:
    """Prepare batches of one size, and a last one that may be shorter.

    Parameters
    ----------
    codes : Tensor of int64, shape (n_samples, n_targets)
        The labels, checked.
    weight : Tensor of shape (n_samples, n_targets)
        Weights in the cross-entropy, 0 where the label is missing.
    alpha : Tensor of shape (n_targets,)
        Weight of each target's class rectification, beside its cross-entropy.
    batch_size : int
        Samples in a batch.
    rectification : Rectification or None
        The rectification to prepare for, if any.
    layout : ColumnLayout
        The targets' classes.

    Returns
    -------
    list of PreparedLabels
        One for every batch.
    """
    n_even = len(codes) // batch_size * batch_size
    parts = (
        (codes[:n_even], weight[:n_even], batch_size),
        (codes[n_even:], weight[n_even:], len(codes) - n_even),
    )
    return [
        prepared
        for part_codes, part_weight, size in parts
        if len(part_codes)
        for prepared in _prepare_even(part_codes, part_weight, alpha, size, rectification, layout)
    ]


def _prepare_even(
    codes: Tensor,
    weight: Tensor,
    alpha: Tensor,
    batch_size: int,
    rectification: Rectification | None,
    layout: ColumnLayout,
) -> Iterator[PreparedLabels]:
    """Prepare batches of one size."""
    # Batches become further targets, so that all are prepared in one go.
    codes, weight = (
        column.unflatten(0, (-1, batch_size)).transpose(1, 2).contiguous()
        for column in (codes, weight)
    )
    rectified: Iterator[RectifiedLabels | None] = repeat(None)
    if rectification is not None:
        scale = alpha.expand(len(codes), -1).flatten()
        labels = rectification.prepare(codes.flatten(0, 1), layout, scale)
        if labels is not None:
            single = len(codes) == 1
            rectified = iter([labels]) if single else _split(labels, layout.n_targets)
    # Eq. 8 and the mean over a target's labelled samples (Eq. 2), in one factor.
    total = weight.sum(2, keepdim=True)
    by_label = weight * ((alpha - 1)[:, None] / total.masked_fill(total == 0, 1))
    rows = (column[:, :, None].unbind() for column in (codes.clamp(min=0), by_label))
    return map(PreparedLabels, *rows, rectified)


def _split(labels: RectifiedLabels, n_targets: int) -> Iterator[RectifiedLabels]:
    """Split labels into those of each batch; what is no tensor is common to all."""
    columns = (
        column.split(n_targets) if isinstance(column, Tensor) else repeat(column)
        for column in labels
    )
    return (type(labels)(*column) for column in zip(*columns, strict=False))
