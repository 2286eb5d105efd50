"""Every sample once, in batches with the class shares of the data."""

from __future__ import annotations

import torch
from torch import Tensor


def deal_stratified(codes: Tensor, batch_size: int, generator: torch.Generator) -> Tensor:
    """Deal samples out to batches, so that each has its share of every combination of labels.

    Parameters
    ----------
    codes : Tensor of int64, shape (n_samples, n_targets)
        Class codes, -1 where a label is missing.
    batch_size : int
        Samples in a batch; the last has the rest.
    generator : torch.Generator
        Source of the order, on the CPU.

    Returns
    -------
    Tensor of int64, shape (n_samples,)
        Every sample once, one batch after the other.
    """
    n_samples, n_targets = codes.shape
    shuffled = torch.randperm(n_samples, generator=generator)
    first_target = torch.randperm(n_targets, generator=generator)
    kind, sizes = _kinds(codes[shuffled][:, first_target])
    by_kind = kind.argsort(stable=True)
    n_full, rest = divmod(n_samples, batch_size)
    kept = _share_of_rest(sizes, n_full, rest, generator)
    # The first so many of each kind are for the last batch, the others dealt out like cards.
    place = torch.arange(n_samples) - (sizes.cumsum(0) - sizes)[kind[by_kind]]
    is_last = place < kept[kind[by_kind]]
    batch = torch.full((n_samples,), n_full)
    if n_full:
        turn = torch.randint(n_full, (), generator=generator)
        batch[~is_last] = (torch.arange(n_full * batch_size) + turn) % n_full
    return shuffled[by_kind[batch.argsort(stable=True)]]


def _kinds(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Number the combinations of labels in sorted order; count the samples of each."""
    if codes.shape[1] == 1:
        kind = codes[:, 0] + 1
        return kind, kind.bincount()
    _, kind, sizes = codes.unique(dim=0, return_inverse=True, return_counts=True)
    return kind, sizes


def _share_of_rest(sizes: Tensor, n_full: int, rest: int, generator: torch.Generator) -> Tensor:
    """Choose how many samples of every kind are for the last batch, which is shorter.

    Of a kind with n of all N samples, the last batch gets x = n · rest / N, rounded down or up, and
    each full batch e = n · batch_size / N, likewise. Dealing out n - x among the full batches keeps
    to the latter where n - x is between n_full · floor(e) and n_full · ceil(e): some kinds must
    be rounded up, some down, and the others are chosen at even distances. Whole numbers that keep
    to both always exist, since the exact ones make up a transportation problem.
    """
    n_samples = int(sizes.sum())
    batch_size = (n_samples - rest) // max(n_full, 1)
    down = sizes * rest // n_samples
    up = -(-sizes * rest // n_samples)
    least = n_full * (sizes * batch_size // n_samples)
    most = n_full * -(-sizes * batch_size // n_samples)
    must_up = (sizes - down > most) & (up > down)
    free = ((up > down) & ~must_up & (sizes - up >= least)).nonzero()[:, 0]
    kept = torch.where(must_up, up, down)
    n_up = rest - int(kept.sum())
    if n_up:
        start = torch.rand((), generator=generator, dtype=torch.float64)
        kept[free[((torch.arange(n_up) + start) * len(free) / n_up).long()]] += 1
    return kept
