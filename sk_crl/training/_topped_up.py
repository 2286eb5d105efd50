"""Shuffled batches that are topped up to some samples of every class."""

from __future__ import annotations

import torch
from torch import Tensor

from sk_crl.training._draws import ClassIndex, places_within


def top_up(index: ClassIndex, m: int, batch_size: int, generator: torch.Generator) -> Tensor:
    """Shuffle samples, and give every batch at least m of every class.

    Parameters
    ----------
    index : ClassIndex
        The classes.
    m : int
        Least number of samples of every class; all classes together must fit into a batch.
    batch_size : int
        Samples in a batch; the last has the rest, and more where that is too few.
    generator : torch.Generator
        Source of order and draws, on the CPU.

    Returns
    -------
    Tensor of int64, shape (n_drawn,)
        The samples, one batch after the other.
    """
    n_samples, n_classes = len(index.ids), len(index.counts)
    order = torch.randperm(n_samples, generator=generator)
    batch = torch.arange(n_samples) // batch_size
    n_batches = int(batch[-1]) + 1
    # Cells are the classes of every batch; one more is for missing labels.
    ids = index.ids[order]
    cells = batch[:, None] * (n_classes + 1) + ids
    n_cells = n_batches * (n_classes + 1)
    counts = cells.flatten().bincount(minlength=n_cells).view(n_batches, -1)[:, :n_classes]
    lack = (m - counts).clamp(min=0) * (index.counts > 0)
    # Samples that are not among the first m of any of their classes can go, and the samples of the
    # largest classes come last in theirs. There are enough of them: no more than m of every class,
    # less what lacks, stay for sure.
    place = places_within(cells.t().flatten(), n_cells).view(-1, n_samples).t()
    place = place.masked_fill(ids == n_classes, n_samples).amin(1)
    last_first = torch.argsort(batch * (n_samples + 1) + n_samples - place)
    n_to_go = lack.sum(1)
    starts = torch.arange(n_batches) * batch_size
    goes = torch.empty(n_samples, dtype=torch.bool)
    goes[last_first] = torch.arange(n_samples) - starts[batch] < n_to_go[batch]
    # The last batch keeps what is among the first m even where it is too short for all.
    stays = ~goes | (place < m)
    added, to = _others(index, order, counts, lack, generator)
    every = torch.cat([order[stays], added])
    return every[torch.cat([batch[stays], to]).argsort(stable=True)]


def _others(
    index: ClassIndex, order: Tensor, counts: Tensor, lack: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw, for every batch and class, samples that the batch does not have, while there are any.

    Return the samples, and the batches that they are for.
    """
    # In the order of the epoch a batch has a stretch of each class's samples; after it come others.
    ends = counts.cumsum(0)
    to, of_class = lack.nonzero(as_tuple=True)
    n_wanted = lack[to, of_class]
    size = index.counts[of_class]
    spare = (size - counts[to, of_class] - n_wanted).clamp(min=0)
    skipped = torch.rand(len(to), generator=generator, dtype=torch.float64) * (spare + 1)
    first = ends[to, of_class] + skipped.long()
    cell = torch.arange(len(to)).repeat_interleave(n_wanted)
    nth = torch.arange(len(cell)) - (n_wanted.cumsum(0) - n_wanted)[cell]
    place = (first[cell] + nth) % size[cell]
    start = (index.counts.cumsum(0) - index.counts)[of_class]
    return index.members(order)[start[cell] + place], to[cell]
