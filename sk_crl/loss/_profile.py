"""Which classes of a batch are rectified (Eq. 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Counts are whole numbers, so a budget this close below one of them is that number, computed with
# a rounding error: 0.29 * 100 is 28.999999999999996.
_ROUNDING = 1e-9


def minority_classes(counts: Tensor, rho: float = 0.5) -> Tensor:
    r"""Find the minority classes of a batch (Eq. 3).

    The classes that are present are taken from the smallest up, ties by class index, while
    together they hold at most :math:`\rho \cdot n` samples. Of those, the ones with a single
    sample are then dropped (footnote 2 of the paper): they have spent budget all the same.

    Parameters
    ----------
    counts : Tensor of shape (..., n_classes)
        Number of samples of every class.
    rho : float, default=0.5
        Share of the batch that the minority classes hold together at most, in (0, 1].

    Returns
    -------
    Tensor of bool, shape (..., n_classes)
        True for the minority classes that have two samples or more.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.loss import minority_classes
    >>> minority_classes(torch.tensor([60, 0, 25, 14, 1]))
    tensor([False, False,  True,  True, False])
    """
    budget = counts.sum(-1, keepdim=True).double() * rho + _ROUNDING
    size, order = counts.sort(dim=-1, stable=True)
    affordable = (size.cumsum(-1) <= budget) & (size >= 2)
    return torch.zeros_like(affordable).scatter(-1, order, affordable)


def most_anchors(n_samples: int, rho: float, scope: str) -> int:
    """Bound the anchors that one target of a batch can have, from the batch's shape alone."""
    return n_samples if scope == "all" else int(n_samples * rho + _ROUNDING)


def reads_are_free(tensor: Tensor) -> bool:
    """Whether the host may look at a tensor's values: no device waits for it, nothing compiles."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


class Profile(NamedTuple):
    """The anchors of a batch, as its labels alone settle them.

    Anchors stand in *places*: those of one class in a run, the runs by class, and after the last
    anchor the places of that target which no anchor fills. On a CPU there are as many places as the
    target with the most anchors needs. Elsewhere there are as many as anchors are possible, so that
    no shape depends on the labels and an accelerator never waits for the host.

    Attributes
    ----------
    codes : Tensor of int64, shape (n_targets, n_samples)
        The class of each sample, -1 where it is missing.
    run : Tensor of int64, shape (n_targets, n_samples)
        The run each sample stands in: its class, or `n_classes` for a sample that is no anchor.
    classes : Tensor of int64, shape (n_targets, n_places)
        The class of each place's anchor.
    size : Tensor of int64, shape (n_targets, n_places)
        Number of samples of that class, 0 in a place without anchor.
    rank : Tensor of int64, shape (n_targets, n_places)
        How many places of the run come before.
    n_negatives : Tensor of int64, shape (n_targets, n_places)
        Number of hard negatives, 0 in a place without anchor.
    n_triplets : Tensor of int64, shape (n_targets,)
        Number of triplets of all anchors together.
    """

    codes: Tensor
    run: Tensor
    classes: Tensor
    size: Tensor
    rank: Tensor
    n_negatives: Tensor
    n_triplets: Tensor


def profile_labels(
    codes: Tensor, n_classes: int, rho: float, scope: str, kappa: int | None
) -> Profile:
    """Profile the labels of a batch, or of many batches of one size as further targets.

    Parameters
    ----------
    codes : Tensor of int64, shape (n_targets, n_samples)
        Class of each sample, -1 where it is missing.
    n_classes : int
        Number of classes of the widest target.
    rho : float
        Share of the batch that minority classes may hold (Eq. 3).
    scope : {"minority", "all"}
        Rectify the minority classes, or all classes with two samples or more (Table 12).
    kappa : int or None
        Hard samples of each kind, None for all.

    Returns
    -------
    Profile
    """
    n_targets, n_samples = codes.shape
    # Missing labels are counted in a column of their own, the last.
    column = torch.where(codes < 0, n_classes, codes)
    counts = codes.new_zeros(n_targets, n_classes + 1)
    counts.scatter_add_(1, column, torch.ones_like(column))
    counts[:, -1] = 0
    rectified = counts >= 2 if scope == "all" else minority_classes(counts, rho)

    sizes = counts * rectified
    ends = sizes.cumsum(1)
    n_places = most_anchors(n_samples, rho, scope)
    if reads_are_free(codes):
        n_places = int(ends[:, -1].max())
    places = torch.arange(n_places, device=codes.device)
    places = places.expand(n_targets, -1).contiguous()
    run = torch.searchsorted(ends, places, right=True).clamp(max=n_classes)
    size = sizes.gather(1, run)
    n_rivals = (counts.sum(1, keepdim=True) - size) * (size > 0)
    n_positives, n_negatives = ((n.clamp(0, kappa)) for n in (size - 1, n_rivals))
    return Profile(
        codes=codes,
        run=torch.where(rectified.gather(1, column), codes, n_classes),
        classes=run.clamp(max=n_classes - 1),
        size=size,
        rank=places - (ends - sizes).gather(1, run),
        n_negatives=n_negatives,
        n_triplets=(n_positives * n_negatives).sum(1),
    )
