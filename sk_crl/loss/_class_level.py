"""Class-level rectification: hard samples and distances by predicted probability (Eq. 4-5, 10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sk_crl.loss._comparison import Pairs, Tangent
from sk_crl.loss._profile import Profile


class ClassLevelLabels(NamedTuple):
    """What class-level rectification needs to know of the labels.

    Attributes
    ----------
    known : Tensor of int64, shape (n_targets, 1, n_samples)
        The class of each sample, 0 where it is missing.
    is_missing : Tensor of bool, shape (n_targets, 1, n_samples)
        Where it is missing.
    run : Tensor of float64, shape (n_targets, n_samples)
        The run each sample stands in, times 2: added to a probability it sorts by run first.
    classes : Tensor of int64, shape (n_targets, n_places, n_negatives)
        The class of each place's anchor, for each of its negatives.
    row : Tensor of int64, shape (n_targets, n_places)
        Where that class starts in the probabilities, flattened.
    listed : Tensor of int64, shape (n_targets, n_places * n_listed)
        For every place the first places of its run, where the hardest samples of its class are.
    weight : Tensor of shape (n_targets, n_places, n_listed)
        Weight of the pairs with them, see `Pairs`.
    n_negatives : Tensor of int64, shape (n_targets, n_places)
        Number of hard negatives.
    """

    known: Tensor
    is_missing: Tensor
    run: Tensor
    classes: Tensor
    row: Tensor
    listed: Tensor
    weight: Tensor
    n_negatives: Tensor

    @classmethod
    def from_profile(
        cls, profile: Profile, kappa: int | None, dtype: torch.dtype
    ) -> ClassLevelLabels:
        """Settle all that a profile settles."""
        n_samples, n_places = profile.codes.shape[1], profile.classes.shape[1]
        device = profile.codes.device
        kappa = n_samples if kappa is None else min(kappa, n_samples)
        # One more than kappa are listed, for the anchor itself must go: or the easiest of them
        # where the anchor is not among them.
        first = torch.arange(min(n_places, kappa + 1), device=device)
        start = torch.arange(n_places, device=device) - profile.rank
        is_positive = first < profile.size[..., None]
        is_positive &= first != profile.rank.clamp(max=kappa)[..., None]
        return cls(
            known=profile.codes.clamp(min=0)[:, None],
            is_missing=profile.codes[:, None] < 0,
            run=profile.run.double() * 2,
            classes=profile.classes[..., None].expand(-1, -1, kappa),
            row=profile.classes * n_samples,
            listed=(start[..., None] + first).clamp(max=n_places - 1).flatten(1),
            weight=is_positive / profile.n_triplets.clamp(min=1).to(dtype)[:, None, None],
            n_negatives=profile.n_negatives,
        )


def rectify_class_level(
    probabilities: Tensor,
    labels: ClassLevelLabels,
    compare: Callable[[Pairs], Tangent],
) -> tuple[Tensor, Tensor]:
    """Compare every anchor with the hard samples of its class (Eq. 4, 5, 10).

    The positives of an anchor are the `kappa` other samples of its class with the lowest
    probability of that class, its negatives, shared by the class, the `kappa` samples of other
    classes with the highest. With :math:`p` the probability of the anchor's class,
    :math:`d(a, +) = |p_a - p_+|` and :math:`d(a, -) = p_a - p_-`, signed.

    Parameters
    ----------
    probabilities : Tensor of shape (n_targets, n_classes, n_samples)
        Softmax probabilities.
    labels : ClassLevelLabels
        The labels.
    compare : callable
        The comparison of the resulting pairs.

    Returns
    -------
    intercept : Tensor of shape (n_targets,)
        The loss less the probabilities times their derivatives.
    gradient : Tensor of shape (n_targets, n_classes, n_samples)
        Its derivatives by the probabilities.
    """
    n_places, n_negatives = labels.classes.shape[1:]

    # Sorted by run and then by probability, anchors stand in their places, the hardest first.
    weight = labels.weight.to(probabilities.dtype)
    own = probabilities.gather(1, labels.known)[:, 0]
    anchors = (own + labels.run).argsort(dim=1)[:, :n_places]
    anchor = own.gather(1, anchors)
    each_anchor = anchor[..., None]
    ahead = anchor.gather(1, labels.listed).view_as(weight) - each_anchor

    # Negatives once for every class, then handed to its anchors.
    rivals = torch.where(labels.is_missing, -torch.inf, probabilities)
    hardest, rivals = rivals.scatter_(1, labels.known, -torch.inf).topk(n_negatives, dim=2)
    behind = each_anchor - hardest.gather(1, labels.classes)

    tangent = compare(Pairs(ahead.abs(), weight, behind, labels.n_negatives))

    # The chain rule, backwards along the same indices: to places, then to samples.
    by_ahead = tangent.by_positive * ahead.sign()
    by_anchor = tangent.by_negative.sum(2) - by_ahead.sum(2)
    by_anchor.scatter_add_(1, labels.listed, by_ahead.flatten(1))
    by_rival = torch.zeros_like(hardest).scatter_add_(1, labels.classes, tangent.by_negative)
    gradient = torch.zeros_like(probabilities).scatter_(2, rivals, by_rival.neg_())
    gradient.flatten(1).scatter_add_(1, anchors.add_(labels.row), by_anchor)
    return tangent.intercept, gradient
