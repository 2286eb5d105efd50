"""Which samples the members of an ensemble train on, and which each of them leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sk_crl.loss._criterion import Criterion
from sk_crl.training._data import CodedData, batches_prepared

# How many numbers are predicted from at a time, as for a single network.
_PREDICTED = 2**14


class Folds:
    """The samples' folds: member m leaves out fold m modulo the number of folds.

    Parameters
    ----------
    fold : Tensor of int64, shape (n_samples,)
        The fold of every sample, from 0.
    n_folds : int
        Number of folds.
    n_members : int
        Number of members, a multiple of the folds.
    """

    def __init__(self, fold: Tensor, n_folds: int, n_members: int):
        self.fold = fold
        self.n_folds = n_folds
        self.n_members = n_members
        self.is_left_out = fold[:, None] == torch.arange(n_members) % n_folds

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Shuffle the samples that each member trains on.

        Parameters
        ----------
        generator : torch.Generator
            Source of the order.

        Returns
        -------
        Tensor of int64, shape (n_longest, n_members)
            Rows, and -1 below those of a member that trains on fewer than another.
        """
        keys = torch.rand(self.is_left_out.shape, generator=generator)
        return _rows_first(~self.is_left_out, keys)

    def left_out(self) -> Tensor:
        """List the samples that each member leaves out, (n_longest, n_members), -1 below them."""
        return _rows_first(self.is_left_out, torch.zeros(self.is_left_out.shape))


def _rows_first(is_in: Tensor, keys: Tensor) -> Tensor:
    """Sort the rows that are in by their keys, for every column; -1 stands below them."""
    order = keys.masked_fill(~is_in, torch.inf).argsort(dim=0, stable=True)
    n_in = is_in.sum(0)
    order = order[: int(n_in.max())]
    return order.masked_fill(torch.arange(len(order))[:, None] >= n_in, -1)


class MemberBatches:
    """Batches of which every member has samples of its own, in a new order every epoch.

    Parameters
    ----------
    data : CodedData
        What to learn from.
    folds : Folds
        Who trains on what.
    batch_size : int
        Samples of each member in a batch; the last of an epoch may have fewer.
    criterion : Criterion
        The loss that will see the batches.
    generator : torch.Generator
        Source of the order.
    """

    def __init__(
        self,
        data: CodedData,
        folds: Folds,
        batch_size: int,
        criterion: Criterion,
        generator: torch.Generator,
    ):
        self.data = data
        self.folds = folds
        self.batch_size = batch_size
        self.criterion = criterion
        self.generator = generator

    def begin_epoch(self, epoch: int, n_epochs: int) -> None:
        """Show all samples in every epoch: there are no counts to tell."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Any]]:
        order = self.folds.shuffled(self.generator)
        size = min(self.batch_size, len(order))
        if len(order) > 1 and len(order) % size == 1:
            order = order[:-1]  # batch normalisation cannot train on a single sample
        samples = samples_of_members(self.data, order, size)
        for X, (codes, labels) in zip(samples, self._labels(order, size), strict=True):
            yield X, codes, labels

    def _labels(self, order: Tensor, size: int) -> Iterator[tuple[Tensor, Any]]:
        """Prepare labels, those of many batches at a time."""
        n_batches = batches_prepared(self.criterion, size)
        for rows in order.to(self.data.y.device).split(n_batches * size):
            codes, weight = labels_of_members(self.data, rows)
            labels = self.criterion.prepare(codes, weight, batch_size=size)
            yield from zip(codes.split(size), labels, strict=True)


class LeftOutBatches:
    """What every member leaves out, to be predicted by it.

    Parameters
    ----------
    data : CodedData
        All samples.
    folds : Folds
        Who leaves out what.

    Attributes
    ----------
    codes, weight : Tensor, Tensor or None
        The labels of all batches, as `labels_of_members` takes them.
    """

    def __init__(self, data: CodedData, folds: Folds):
        self.data = data
        self.rows = folds.left_out()
        self.codes, self.weight = labels_of_members(data, self.rows.to(data.y.device))
        self.size = max(_PREDICTED // (data.source.n_numbers * folds.n_members), 1)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        samples = samples_of_members(self.data, self.rows, self.size)
        yield from zip(samples, self.codes.split(self.size), strict=True)


def samples_of_members(data: CodedData, rows: Tensor, size: int) -> Iterator[Tensor]:
    """Hand out the samples in these rows, (size, n_members, ...).

    For a row of -1 that is the member's first, for batch normalisation sees it.
    """
    n_members = rows.shape[1]
    flat = data.rows[rows.where(rows >= 0, rows[0]).flatten()]
    for X in data.source.batches(flat, size * n_members):
        yield X.unflatten(0, (-1, n_members))


def labels_of_members(data: CodedData, rows: Tensor) -> tuple[Tensor, Tensor | None]:
    """Take codes and weights of the labels in these rows, both (n, n_members * n_targets).

    There is no label in a row of -1, and no weight where all samples weigh the same.
    """
    codes = data.y if data.y.ndim == 2 else data.y[:, None]
    n_targets = codes.shape[1]
    codes = codes[rows.clamp(min=0)].masked_fill((rows < 0)[..., None], -1).flatten(1)
    weight = data.sample_weight
    return codes, None if weight is None else weight[rows].repeat_interleave(n_targets, 1)
