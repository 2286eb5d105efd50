"""Class-level rectification: hard samples and distances by predicted probability (Eq. 4-5, 10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sk_crl.loss._comparison import Pairs, Tangent
from sk_crl.loss._profile import Places, Profile, reads_are_free

# Masked probabilities, above and below all others: those of samples that are no positives, and no
# negatives. The first is finite, because differences are taken of it before weights of 0.
_NO_POSITIVE = 2.0
_NO_NEGATIVE = -torch.inf


class ClassLevelLabels(NamedTuple):
    """What class-level rectification needs to know of the labels.

    Attributes
    ----------
    classes : Tensor of int64, shape (n_targets, n_anchor_classes, 1)
        The classes whose samples are anchors.
    is_member : Tensor of bool, shape (n_targets, n_anchor_classes, n_samples)
        Which samples are of each of them.
    is_negative : Tensor of bool, shape (n_targets, n_anchor_classes, n_samples)
        Which samples are of another class.
    group : Tensor of int64, shape (n_targets, n_places, 1)
        Which of the anchor classes each anchor is of.
    place : Tensor of int64, shape (n_targets, n_places)
        Where each anchor stands among the hardest members of all anchor classes, flattened.
    weight : Tensor of shape (n_targets, n_places, n_positives)
        Weight of each anchor's pairs with the hardest members, see `Pairs`.
    n_negatives : Tensor of int64, shape (n_targets, n_places)
        Number of each anchor's hard negatives.
    n_alike : Tensor of int64, shape (n_targets, n_anchor_classes), or None
        How many anchors the easiest one stands for; None where each stands for itself.
    n_members : int
        Room for the hardest members of a class.
    most_negatives : int
        Room for the hardest negatives of a class.
    """

    classes: Tensor
    is_member: Tensor
    is_negative: Tensor
    group: Tensor
    place: Tensor
    weight: Tensor
    n_negatives: Tensor
    n_alike: Tensor | None
    n_members: int
    most_negatives: int

    @classmethod
    def from_profile(
        cls, profile: Profile, kappa: int | None, dtype: torch.dtype, collapse: bool
    ) -> ClassLevelLabels:
        """Settle all that a profile settles.

        Parameters
        ----------
        profile : Profile
            The labels' profile.
        kappa : int or None
            Hard samples of each kind, None for all.
        dtype : torch.dtype
            Precision of the weights.
        collapse : bool
            Whether one anchor may stand for all that are easier than the hard positives: the
            relative comparison does not tell them apart.
        """
        n_samples = profile.codes.shape[1]
        kappa = n_samples if kappa is None else min(kappa, n_samples)
        n_members = largest = profile.largest()
        if collapse:
            n_members = min(kappa + 1, largest)
        places = Places.from_profile(profile, n_members)
        # One more than kappa, for the anchor itself must go: or the easiest of them where the
        # anchor is not among them.
        hard = torch.arange(min(n_members, kappa + 1), device=places.rank.device)
        is_positive = hard < places.size[..., None]
        is_positive &= hard != places.rank.clamp(max=kappa)[..., None]
        weight = profile.n_triplets.clamp(min=1).to(dtype).reciprocal()[:, None]
        n_alike = None
        if n_members < largest:
            n_alike = (profile.size - kappa).clamp(min=1)
            stands_for = n_alike.gather(1, places.group).masked_fill(places.rank < kappa, 1)
            weight = weight * stands_for
        is_member = profile.codes[:, None] == profile.classes[..., None]
        is_member &= (profile.size > 0)[..., None]
        return cls(
            classes=profile.classes[..., None],
            is_member=is_member,
            is_negative=(profile.codes >= 0)[:, None] & ~is_member,
            group=places.group[..., None],
            place=places.group * n_members + places.rank.clamp(max=n_members - 1),
            weight=is_positive * weight[..., None],
            n_negatives=profile.n_negatives.gather(1, places.group) * (places.size > 0),
            n_alike=n_alike,
            n_members=n_members,
            most_negatives=kappa,
        )


def rectify_class_level(
    log_probabilities: Tensor,
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
    log_probabilities : Tensor of shape (n_targets, n_classes, n_samples)
        Logarithms of the softmax probabilities, finite.
    labels : ClassLevelLabels
        The labels.
    compare : callable
        The comparison of the resulting pairs.

    Returns
    -------
    intercept : Tensor of shape (n_targets,)
        The loss less the log-probabilities times their derivatives.
    gradient : Tensor of shape (n_targets, n_classes, n_samples)
        Its derivatives by the log-probabilities.
    """
    n_samples, n_positives = log_probabilities.shape[2], labels.weight.shape[2]
    classes = labels.classes.expand(-1, -1, n_samples)
    log_probabilities_of_class = log_probabilities.gather(1, classes)
    p = log_probabilities_of_class.exp()
    weight = labels.weight.to(p.dtype)

    # Hard samples once for every class, then handed to its anchors.
    members = torch.where(labels.is_member, p, _NO_POSITIVE)
    hard_members = members.topk(labels.n_members, dim=2, largest=False)
    hard_negatives = torch.where(labels.is_negative, p, _NO_NEGATIVE).topk(labels.most_negatives)
    anchor = hard_members.values.flatten(1).gather(1, labels.place)[..., None]
    p_beyond = _of_anchors(hard_members.values[..., :n_positives], labels.group) - anchor
    negative = anchor - _of_anchors(hard_negatives.values, labels.group)

    tangent = compare(Pairs(p_beyond.abs(), weight, negative, labels.n_negatives))

    # The chain rule, backwards along the same indices: to the hard samples, then to all.
    by_positive = p_beyond.sign_().mul_(tangent.by_positive)
    by_anchor = tangent.by_negative.sum(2) - by_positive.sum(2)
    by_member = torch.zeros_like(hard_members.values)
    by_member.flatten(1).scatter_add_(1, labels.place, by_anchor)
    gradient = torch.zeros_like(p)
    if labels.n_alike is not None:
        _share_among_ties(by_member, gradient, hard_members.values, members, labels.n_alike)
    by_member[..., :n_positives] += _of_classes(by_positive, labels)
    by_negative = _of_classes(tangent.by_negative, labels).neg_()
    gradient.scatter_add_(2, hard_members.indices, by_member)
    gradient.scatter_add_(2, hard_negatives.indices, by_negative)

    # And once more, p = exp(log p): to what cross-entropy is linear in, too.
    gradient *= p
    intercept = tangent.intercept + (gradient * (1 - log_probabilities_of_class)).sum((1, 2))
    gradient = torch.zeros_like(log_probabilities).scatter_add_(1, classes, gradient)
    return intercept, gradient


def _of_anchors(of_classes: Tensor, group: Tensor) -> Tensor:
    """Hand rows of anchor classes to their anchors, (n_targets, n_places, ...)."""
    if of_classes.shape[1] == 1:  # as of every target with two classes: nothing to look up
        return of_classes
    return of_classes.gather(1, group.expand(-1, -1, of_classes.shape[2]))


def _of_classes(of_anchors: Tensor, labels: ClassLevelLabels) -> Tensor:
    """Add the rows of anchors up for their classes, (n_targets, n_anchor_classes, ...)."""
    n_targets, n_classes, _ = labels.classes.shape
    if n_classes == 1:
        return of_anchors.sum(1, keepdim=True)
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
    easiest = hardest[..., -1:]
    ties = (hardest[..., :-1] == easiest) & (n_alike > 1)[..., None]
    if reads_are_free(ties) and not ties[..., -1].any():
        return
    n_ties = ties.sum(2, keepdim=True)
    tied = (members == easiest) & (n_ties > 0)
    total = torch.where(n_ties > 0, by_member[..., -1:], 0)
    each = total / n_alike[..., None]
    n_above = n_alike[..., None] - (tied.sum(2, keepdim=True) - n_ties)
    gradient += tied * each
    by_member[..., -1:] -= total
    by_member[..., :-1] += ties * (each * n_above / n_ties.clamp(min=1) - each)
