"""Draws of samples by class, for one target or several."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class ClassIndex(NamedTuple):
    """The classes of all targets, numbered one target after the other.

    Attributes
    ----------
    ids : Tensor of int64, shape (n_samples, n_targets)
        Number of the class of every label; the number of classes where it is missing.
    counts : Tensor of int64, shape (n_classes,)
        Samples of every class.
    target : Tensor of int64, shape (n_classes,)
        The target that every class is of.
    """

    ids: Tensor
    counts: Tensor
    target: Tensor

    @classmethod
    def of(cls, codes: Tensor) -> ClassIndex:
        """Number the classes of codes, (n_samples, n_targets), -1 where a label is missing."""
        sizes = codes.amax(0) + 1
        starts = sizes.cumsum(0) - sizes
        n_classes = int(sizes.sum())
        ids = torch.where(codes >= 0, codes + starts, n_classes)
        counts = ids.flatten().bincount(minlength=n_classes + 1)[:n_classes]
        return cls(ids, counts, torch.arange(len(sizes)).repeat_interleave(sizes))

    def even_shares(self) -> Tensor:
        """Share every draw out evenly among targets, and then among the classes that they have."""
        return self.shares_of((self.counts > 0).double())

    def shares_of(self, weight: Tensor) -> Tensor:
        """Share draws out evenly among targets, and then among their classes by weight."""
        totals = torch.zeros(int(self.target.max()) + 1, dtype=weight.dtype)
        totals = totals.scatter_add_(0, self.target, weight)
        return weight / totals[self.target] / (totals > 0).sum()

    def frequencies(self, shares: Tensor) -> Tensor:
        """Share of every sample in the draws, if those of a class are drawn alike, (n_samples,)."""
        of_sample = shares / self.counts.clamp(min=1)
        return torch.cat([of_sample, of_sample.new_zeros(1)])[self.ids].sum(1)

    def members(self, order: Tensor) -> Tensor:
        """List the samples of every class in this order, one class after the other."""
        ids = self.ids[order].t().flatten()
        grouped = ids.argsort(stable=True)[: int(self.counts.sum())]
        return order[grouped % len(order)]


def places_within(groups: Tensor, n_groups: int) -> Tensor:
    """Count, for every item, the items of its group before it.

    Parameters
    ----------
    groups : Tensor of int64, shape (n_items,)
        Group of every item.
    n_groups : int
        Number of groups.
    """
    sizes = groups.bincount(minlength=n_groups)
    grouped = groups.argsort(stable=True)
    places = torch.empty_like(groups)
    places[grouped] = torch.arange(len(groups)) - (sizes.cumsum(0) - sizes)[groups[grouped]]
    return places


def draw_by_class(
    index: ClassIndex, shares: Tensor, n_draws: int, batch_size: int, generator: torch.Generator
) -> Tensor:
    """Draw batches in which classes have given shares, as nearly as whole samples can.

    A class of share s has s · batch_size samples in a batch, rounded down or up, and that many on
    average. Its samples come round in a random order: none comes again before all others have.

    Parameters
    ----------
    index : ClassIndex
        The classes.
    shares : Tensor of float64, shape (n_classes,)
        Share of every class, of all targets, in the draws. They add up to 1.
    n_draws : int
        Number of samples to draw.
    batch_size : int
        Samples in a batch; the last has the rest.
    generator : torch.Generator
        Source of the draws, on the CPU.

    Returns
    -------
    Tensor of int64, shape (n_draws,)
        The samples, one batch after the other.
    """
    draw = torch.arange(n_draws)
    batch = draw // batch_size
    size = torch.full((int(batch[-1]) + 1,), batch_size)
    size[-1] = n_draws - batch_size * (len(size) - 1)
    # Systematic sampling: points at equal distances, of which each class gets those in its stretch.
    offset = torch.rand(len(size), generator=generator, dtype=torch.float64)
    points = (offset[batch] + draw % batch_size) / size[batch]
    there = shares.nonzero()[:, 0]
    ends = shares[there].cumsum(0)[:-1]  # the last class has all that is left
    drawn = there[torch.searchsorted(ends, points, right=True)]
    members = index.members(torch.randperm(len(index.ids), generator=generator))
    place = places_within(drawn, len(shares)) % index.counts[drawn]
    return members[(index.counts.cumsum(0) - index.counts)[drawn] + place]


def draw_balanced(
    codes: Tensor, n_batches: int, batch_size: int, generator: torch.Generator
) -> Tensor:
    """Draw batches in which every class has the same number of samples, give or take one.

    Parameters
    ----------
    codes : Tensor of int64, shape (n_samples,)
        Class codes from 0 on, and -1 where a label is missing.
    n_batches : int
        Number of batches.
    batch_size : int
        Samples in a batch.
    generator : torch.Generator
        Source of the draws, on the CPU.

    Returns
    -------
    Tensor of int64, shape (n_batches, batch_size)
        The samples.
    """
    index = ClassIndex.of(codes.cpu()[:, None])
    n_draws = n_batches * batch_size
    drawn = draw_by_class(index, index.even_shares(), n_draws, batch_size, generator)
    return drawn.view(n_batches, batch_size).to(codes.device)
