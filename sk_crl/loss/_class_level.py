"""Class-level rectification: hard samples and distances by predicted probability (Eq. 4-5, 10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sk_crl._layout import ColumnLayout
from sk_crl.loss._comparison import Pairs, Tangent
from sk_crl.loss._profile import Places, Profile, reads_are_free

# What is added to probabilities so that samples which are no positives, or no negatives, are the
# last to be mined. The first is finite, because differences are taken before weights of 0, and
# another multiple for every sample, so that those which are no positives never tie.
_NO_POSITIVE = 2.0
_NO_NEGATIVE = torch.inf
# A row for every class has room for as many anchors as the largest class has. It spares looking
# anchors up and costs less than that until it is so many times the room that they need.
_SPARE_ROOM = 4


class ClassLevelLabels(NamedTuple):
    """What class-level rectification needs to know of the labels.

    Anchors stand in rows that share their negatives, see `Pairs`: one for every anchor class or,
    where these are many and of very unequal size, one for every anchor.

    Attributes
    ----------
    rows : Tensor of int64, shape (n_targets, n_anchor_classes)
        The classes whose samples are anchors, as rows of those of all targets.
    beyond_members : Tensor of shape (n_targets, n_anchor_classes, n_samples)
        0 for the samples of each of them, more for others.
    beyond_negatives : Tensor of shape (n_targets, n_anchor_classes, n_samples)
        0 for the samples of other classes, infinite for others.
    weight : Tensor of shape (n_targets, n_rows, n_anchors, n_positives)
        Weight of each anchor's pairs with the hardest members, see `Pairs`.
    n_negatives : Tensor of int64, shape (n_targets, n_rows)
        Number of each row's hard negatives.
    group : Tensor of int64, shape (n_targets, n_rows, 1), or None
        Which of the anchor classes each anchor is of; None where rows are anchor classes.
    place : Tensor of int64, shape (n_targets, n_rows, n_anchors), or None
        Where each anchor stands among the hardest members of all anchor classes, flattened; None
        where each row has the hardest members of its class, in their order.
    n_alike : Tensor of int64, shape (n_targets, n_anchor_classes), or None
        How many anchors the easiest one stands for; None where each stands for itself.
    scale : Tensor of shape (n_targets, 1, 1, 1)
        What each target's loss is multiplied by.
    n_members : int
        Room for the hardest members of a class.
    most_negatives : int
        Room for the hardest negatives of a class.
    """

    rows: Tensor
    beyond_members: Tensor
    beyond_negatives: Tensor
    weight: Tensor
    n_negatives: Tensor
    group: Tensor | None
    place: Tensor | None
    n_alike: Tensor | None
    scale: Tensor
    n_members: int
    most_negatives: int

    @classmethod
    def from_profile(
        cls,
        profile: Profile,
        kappa: int,
        scale: Tensor,
        collapse: bool,
        layout: ColumnLayout,
    ) -> ClassLevelLabels:
        """Settle all that a profile settles.

        Parameters
        ----------
        profile : Profile
            The labels' profile.
        kappa : int
            Hard samples of each kind, at most as many as the samples.
        scale : Tensor of shape (n_targets,)
            What to multiply each target's loss by.
        collapse : bool
            Whether one anchor may stand for all that are easier than the hard positives: the
            relative comparison does not tell them apart. Not for easy anchors, few as they are.
        layout : ColumnLayout
            The targets' classes.
        """
        n_samples = profile.codes.shape[1]
        n_members = largest = profile.largest()
        if collapse:
            n_members = min(kappa + 1, largest)
        n_alike = (profile.size - kappa).clamp(min=1) if n_members < largest else None
        n_classes = profile.size.shape[1]
        # Room for the anchors of a class.
        n_ranks = min(kappa, largest // 2) if profile.easy else n_members
        rank = torch.arange(n_ranks, device=profile.size.device)
        size, n_negatives, alike = profile.size[..., None], profile.n_negatives, n_alike
        group = place = None
        if n_classes * n_ranks > _SPARE_ROOM * profile.n_places(n_ranks):
            places = Places.from_profile(profile, n_ranks)
            rank, size, group = places.rank[..., None], places.size[..., None], places.group
            place = group[..., None] * n_members + rank.clamp(max=n_members - 1)
            n_negatives = n_negatives.gather(1, group) * (places.size > 0)
            alike = None if n_alike is None else n_alike.gather(1, group)
            group = group[..., None]
        elif profile.easy:
            rank = rank + (profile.size - profile.n_anchors)[..., None]
            of_class = torch.arange(n_classes, device=rank.device)[:, None]
            place = of_class * n_members + rank.clamp(max=n_members - 1)

        # One more than kappa, for the anchor itself must go: or the easiest of them where the
        # anchor is not among them.
        hard = torch.arange(min(n_members, kappa + 1), device=rank.device)
        weight = (scale / profile.n_triplets.clamp(min=1))[:, None, None] * (rank < size)
        if alike is not None:
            weight = weight * alike[..., None].masked_fill(rank < kappa, 1)
        # A product of numbers takes half the time of one with booleans.
        is_there = (hard < size).to(weight.dtype)[..., None, :]
        is_other = (hard != rank.clamp(max=kappa)[..., None]).to(weight.dtype)
        is_member = profile.codes[:, None] == profile.classes[..., None]
        is_negative = (profile.codes >= 0)[:, None] & ~is_member
        ahead = torch.arange(1, n_samples + 1, device=rank.device) * _NO_POSITIVE
        first = torch.arange(len(size), device=rank.device) % layout.n_targets * layout.widest
        return cls(
            rows=profile.classes + first[:, None],
            beyond_members=torch.where(is_member, 0.0, ahead),
            beyond_negatives=torch.where(is_negative, 0.0, _NO_NEGATIVE),
            weight=(weight[..., None] * is_other).mul_(is_there),
            n_negatives=n_negatives,
            group=group,
            place=place,
            n_alike=n_alike,
            scale=scale[:, None, None, None],
            n_members=n_members,
            most_negatives=kappa,
        )


def rectify_class_level(
    p: Tensor, labels: ClassLevelLabels, compare: Callable[[Pairs], Tangent]
) -> tuple[Tensor, Tensor]:
    """Compare every anchor with the hard samples of its class (Eq. 4, 5, 10).

    The positives of an anchor are the `kappa` other samples of its class with the lowest
    probability of that class, its negatives, shared by the class, the `kappa` samples of other
    classes with the highest. With :math:`p` the probability of the anchor's class,
    :math:`d(a, +) = |p_a - p_+|` and :math:`d(a, -) = p_a - p_-`, signed.

    Parameters
    ----------
    p : Tensor of shape (n_targets, n_anchor_classes, n_samples)
        Softmax probabilities of the anchor classes.
    labels : ClassLevelLabels
        The labels.
    compare : callable
        The comparison of the resulting pairs.

    Returns
    -------
    loss : Tensor of shape (n_targets,)
        The loss.
    by_log_p : Tensor of shape (n_targets, n_anchor_classes, n_samples)
        Its derivatives by the logarithms of the probabilities.
    """
    n_positives = labels.weight.shape[3]
    # Hard samples once for every class, then handed to its anchors.
    members = labels.beyond_members + p
    negatives = labels.beyond_negatives - p
    hard_members = members.topk(labels.n_members, dim=2, largest=False)
    hard_negatives = negatives.topk(labels.most_negatives, dim=2, largest=False)
    anchor = hardest = hard_members.values
    positive = hardest[..., None, :n_positives]
    negative = hard_negatives.values
    if labels.place is not None:
        anchor = hardest.flatten(1).gather(1, labels.place.flatten(1)).view_as(labels.place)
    if labels.group is not None:
        positive = _of_anchors(hardest[..., :n_positives], labels)[:, :, None]
        negative = _of_anchors(negative, labels)
    p_beyond = positive - anchor[..., None]

    weight, scale = labels.weight.to(p.dtype), labels.scale.to(p.dtype)
    tangent = compare(Pairs(p_beyond.abs(), weight, negative, labels.n_negatives, scale, anchor))

    # The chain rule, backwards along the same indices: to the hard samples, then to all.
    by_positive = p_beyond.sign_().mul_(tangent.by_positive)
    by_anchor = tangent.pull.add_(by_positive.sum(3)).neg_()
    by_positive, by_negative = by_positive.sum(2), tangent.by_negative
    by_member = by_anchor
    if labels.place is not None:
        by_member = torch.zeros_like(hardest)
        by_member.flatten(1).scatter_add_(1, labels.place.flatten(1), by_anchor.flatten(1))
    if labels.group is not None:
        by_positive = _of_classes(by_positive, labels)
        by_negative = _of_classes(by_negative, labels)
    gradient = torch.zeros_like(p)
    if labels.n_alike is not None:
        _share_among_ties(by_member, gradient, hardest, members, labels.n_alike)
    by_member[..., :n_positives].add_(by_positive)
    gradient.scatter_add_(2, hard_members.indices, by_member)
    # Negatives were mined with their sign turned.
    gradient.scatter_add_(2, hard_negatives.indices, by_negative.neg_())

    by_log_p = gradient.mul_(p)
    return tangent.intercept + by_log_p.sum((1, 2)), by_log_p


def _of_anchors(of_classes: Tensor, labels: ClassLevelLabels) -> Tensor:
    """Hand rows of anchor classes to their anchors, (n_targets, n_rows, ...)."""
    return of_classes.gather(1, labels.group.expand(-1, -1, of_classes.shape[2]))


def _of_classes(of_anchors: Tensor, labels: ClassLevelLabels) -> Tensor:
    """Add the rows of anchors up for their classes, (n_targets, n_anchor_classes, ...)."""
    n_targets, n_classes = labels.rows.shape
    width = of_anchors.shape[2]
    sums = of_anchors.new_zeros(n_targets, n_classes, width)
    return sums.scatter_add_(1, labels.group.expand(-1, -1, width), of_anchors)


def _share_among_ties(
    by_member: Tensor, gradient: Tensor, hardest: Tensor, members: Tensor, n_alike: Tensor
) -> None:
    """Give the derivatives by the easiest anchor to all that it stands for, and to whom they tie.

    That anchor has no derivative of its own unless positives tie with it: then each of the anchors
    that tie has the same one, and those above pass theirs to the positives instead.

    Parameters
    ----------
    by_member : Tensor of shape (n_targets, n_anchor_classes, n_members)
        Derivatives by the hardest members as anchors; changed in place.
    gradient : Tensor of shape (n_targets, n_anchor_classes, n_samples)
        Derivatives by all samples; changed in place.
    hardest : Tensor of shape (n_targets, n_anchor_classes, n_members)
        Probabilities of the hardest members, ascending.
    members : Tensor of shape (n_targets, n_anchor_classes, n_samples)
        Probabilities of all members.
    n_alike : Tensor of int64, shape (n_targets, n_anchor_classes)
        How many anchors the easiest one stands for.
    """
    # In ascending order, the last but one is among those that tie.
    if reads_are_free(hardest) and not (hardest[..., -1] == hardest[..., -2]).any():
        return
    easiest = hardest[..., -1:]
    ties = (hardest[..., :-1] == easiest) & (n_alike > 1)[..., None]
    n_ties = ties.sum(2, keepdim=True)
    tied = (members == easiest) & (n_ties > 0)
    total = torch.where(n_ties > 0, by_member[..., -1:], 0)
    each = total / n_alike[..., None]
    n_above = n_alike[..., None] - (tied.sum(2, keepdim=True) - n_ties)
    gradient += tied * each
    by_member[..., -1:] -= total
    by_member[..., :-1] += ties * (each * n_above / n_ties.clamp(min=1) - each)
