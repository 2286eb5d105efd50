"""Which classes of a batch are rectified, and where their anchors stand (Eq. 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sk_crl._checks import check_real

# Counts are whole numbers, so a budget this close below one of them is that number, computed with
# a rounding error: 0.29 * 100 is 28.999999999999996.
ROUNDING = 1e-9


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

    Raises
    ------
    ValueError
        Where `rho` is no number in (0, 1].

    Examples
    --------
    >>> import torch
    >>> from sk_crl.loss import minority_classes
    >>> minority_classes(torch.tensor([60, 0, 25, 14, 1]))
    tensor([False, False,  True,  True, False])
    """
    check_real("rho", rho, 0, 1, "(]")
    budget = counts.sum(-1, keepdim=True).double() * rho + ROUNDING
    size, order = counts.sort(dim=-1, stable=True)
    affordable = (size.cumsum(-1) <= budget) & (size >= 2)
    return torch.zeros_like(affordable).scatter(-1, order, affordable)


def most_anchors(n_samples: int, rho: float, scope: str) -> int:
    """Bound the anchors that one target of a batch can have, from the batch's shape alone."""
    return n_samples if scope == "all" else int(n_samples * rho + ROUNDING)


def reads_are_free(tensor: Tensor) -> bool:
    """Whether the host may look at a tensor's values: no device waits for it, nothing compiles."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


class Profile(NamedTuple):
    """What the labels of a batch say about who is compared with whom.

    On a CPU there is room for as many anchor classes and anchors as the target with the most has.
    Elsewhere there is room for as many as are possible, so that no shape depends on the labels and
    an accelerator never waits for the host.

    Attributes
    ----------
    codes : Tensor of int64, shape (n_targets, n_samples)
        The class of each sample, -1 where it is missing.
    classes : Tensor of int64, shape (n_targets, n_anchor_classes)
        The classes whose samples are anchors.
    size : Tensor of int64, shape (n_targets, n_anchor_classes)
        Number of samples of each, 0 where a target has fewer anchor classes.
    n_negatives : Tensor of int64, shape (n_targets, n_anchor_classes)
        Number of their hard negatives.
    n_anchors : Tensor of int64, shape (n_targets, n_anchor_classes)
        Number of their samples that are anchors.
    n_triplets : Tensor of int64, shape (n_targets,)
        Number of triplets of all anchors together.
    most_anchors : int
        How many samples a target's anchor classes can have together.
    easy : bool
        Whether only the easiest samples are anchors, at most half of a class.
    """

    codes: Tensor
    classes: Tensor
    size: Tensor
    n_negatives: Tensor
    n_anchors: Tensor
    n_triplets: Tensor
    most_anchors: int
    easy: bool

    def largest(self) -> int:
        """Bound the samples of an anchor class; on a CPU count the largest."""
        return int(self.size.max()) if reads_are_free(self.size) else self.most_anchors

    def n_places(self, most_per_class: int | None = None) -> int:
        """Bound the anchors of a target, at most so many of each class; on a CPU count the most."""
        if reads_are_free(self.size):
            return int(self.n_anchors.clamp(0, most_per_class).sum(1).max())
        most = self.most_anchors // 2 if self.easy else self.most_anchors
        return most if most_per_class is None else min(most, self.size.shape[1] * most_per_class)


def profile_labels(
    codes: Tensor, n_classes: int, rho: float, scope: str, anchors: str, kappa: int | None
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
    anchors : {"all", "easy"}
        Which samples of a rectified class are anchors: all, or the `kappa` easiest and at most
        half of them.
    kappa : int or None
        Hard samples of each kind, None for all.

    Returns
    -------
    Profile
    """
    n_targets, n_samples = codes.shape
    # Missing labels are counted in a column of their own, the first.
    counts = codes.new_zeros(n_targets, n_classes + 1)
    counts = counts.scatter_add_(1, codes + 1, torch.ones_like(codes))[:, 1:]
    rectified = counts >= 2 if scope == "all" else minority_classes(counts, rho)

    sizes = counts * rectified
    most = most_anchors(n_samples, rho, scope)
    n_anchor_classes = min(n_classes, most // 2)
    if reads_are_free(codes):
        n_anchor_classes = int(sizes.count_nonzero(1).max())
    size, classes = sizes.topk(n_anchor_classes, dim=1)
    n_others = (counts.sum(1, keepdim=True) - size) * (size > 0)
    n_positives, n_negatives = (n.clamp(0, kappa) for n in (size - 1, n_others))
    easy = anchors == "easy"
    n_anchors = (size // 2).clamp(0, kappa) if easy else size
    return Profile(
        codes=codes,
        classes=classes,
        size=size,
        n_negatives=n_negatives,
        n_anchors=n_anchors,
        n_triplets=(n_anchors * n_positives * n_negatives).sum(1),
        most_anchors=most,
        easy=easy,
    )


class Places(NamedTuple):
    """Where the anchors of a target stand in a row, those of one class side by side.

    Behind the last anchor of a target stand places that no anchor fills.

    Attributes
    ----------
    group : Tensor of int64, shape (n_targets, n_places)
        Which of the target's anchor classes the anchor in each place is of.
    rank : Tensor of int64, shape (n_targets, n_places)
        How many samples of its class stand before it, where the easiest are the last.
    size : Tensor of int64, shape (n_targets, n_places)
        Number of samples of its class, 0 in a place that no anchor fills.
    """

    group: Tensor
    rank: Tensor
    size: Tensor

    @classmethod
    def from_profile(cls, profile: Profile, most_per_class: int | None = None) -> Places:
        """Line anchors up, at most so many of each class."""
        n_anchors = profile.n_anchors.clamp(0, most_per_class)
        ends = n_anchors.cumsum(1)
        places = torch.arange(profile.n_places(most_per_class), device=ends.device)
        places = places.expand(len(ends), -1).contiguous()
        group = torch.searchsorted(ends, places, right=True).clamp(max=ends.shape[1] - 1)
        # Easy anchors are the last of their class.
        before = ends - (profile.size if profile.easy else n_anchors)
        return cls(
            group=group,
            rank=places - before.gather(1, group),
            size=profile.size.gather(1, group).masked_fill(places >= ends[:, -1:], 0),
        )
