"""Instance-level rectification: hard samples and distances in feature space (Eq. 6-7, 11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize as unit_norm

from sk_crl.loss._comparison import Pairs, Tangent
from sk_crl.loss._profile import Places, Profile


class InstanceLevelLabels(NamedTuple):
    """What instance-level rectification needs to know of the labels.

    Attributes
    ----------
    codes : Tensor of int64, shape (n_targets, n_samples)
        The class of each sample, -1 where it is missing.
    anchors : Tensor of int64, shape (n_targets, n_places), or None
        The anchors; any sample in a place that none fills. None until `choose_anchors`.
    is_anchor : Tensor of bool, shape (n_targets, n_places)
        Whether an anchor fills the place.
    n_negatives : Tensor of int64, shape (n_targets, n_places)
        Number of each anchor's hard negatives.
    weight : Tensor of shape (n_targets, 1, 1, 1)
        Weight of each triplet: the target's scale over the number of its triplets.
    scale : Tensor of shape (n_targets, 1, 1, 1)
        What each target's loss is multiplied by.
    n_members : int
        Room for the samples of a class.
    group : Tensor of int64, shape (n_targets, n_samples), or None
        Which of the anchor classes each sample is of, their number for others; None where anchors
        do not depend on probabilities.
    place : Tensor of int64, shape (n_targets, n_places), or None
        Where each anchor stands among the samples by group and, in a group, the easiest last.
    """

    codes: Tensor
    anchors: Tensor | None
    is_anchor: Tensor
    n_negatives: Tensor
    weight: Tensor
    scale: Tensor
    n_members: int
    group: Tensor | None
    place: Tensor | None

    @classmethod
    def from_profile(cls, profile: Profile, scale: Tensor) -> InstanceLevelLabels:
        """Settle all that a profile settles."""
        places = Places.from_profile(profile)
        is_anchor = places.size > 0
        is_member = profile.codes[:, None] == profile.classes[..., None]
        is_member &= (profile.size > 0)[..., None]
        # Anchors by their group, the others behind them.
        n_groups = profile.classes.shape[1]
        group = torch.where(is_member.any(1), is_member.byte().argmax(1), n_groups)
        n_places, n_samples = places.group.shape[1], group.shape[1]
        anchors = place = None
        if profile.easy:
            first = (profile.size.cumsum(1) - profile.size).gather(1, places.group)
            place = (first + places.rank).clamp(max=n_samples - 1)
        else:
            anchors = group.argsort(dim=1, stable=True)[:, :n_places]
        return cls(
            codes=profile.codes,
            anchors=anchors,
            is_anchor=is_anchor,
            n_negatives=profile.n_negatives.gather(1, places.group) * is_anchor,
            weight=(scale / profile.n_triplets.clamp(min=1))[:, None, None, None],
            scale=scale[:, None, None, None],
            n_members=profile.largest() if profile.easy else n_places,
            group=group if profile.easy else None,
            place=place,
        )

    def choose_anchors(self, scores: Tensor) -> InstanceLevelLabels:
        """Make the easiest samples of each class its anchors, of equal ones the last.

        Parameters
        ----------
        scores : Tensor of shape (n_targets, widest, n_samples)
            Scores, by whose softmax probabilities samples are easy.

        Returns
        -------
        InstanceLevelLabels
        """
        # Sample by sample: across samples, those with equal scores differ by errors of rounding.
        p = scores.transpose(1, 2).contiguous().softmax(2)
        own = p.gather(2, self.codes.clamp(min=0)[..., None])[..., 0]
        order = own.argsort(dim=1, stable=True)
        by_group = self.group.gather(1, order).argsort(dim=1, stable=True)
        return self._replace(anchors=order.gather(1, by_group.gather(1, self.place)))


def by_target(features: Tensor, normalize: bool) -> Tensor:
    """Lay features out by target, as they are compared.

    Parameters
    ----------
    features : Tensor of shape (n_samples, d) or (n_samples, n_targets, d)
        Features, shared by the targets or one per target.
    normalize : bool
        Whether to scale them to unit length.

    Returns
    -------
    Tensor of shape (1 or n_targets, n_samples, d)
    """
    features = features[None] if features.ndim == 2 else features.transpose(0, 1)
    if normalize:
        # At a zero vector eps bounds the gradient, to what half precision can hold.
        features = unit_norm(features, dim=2, eps=1e-4)
    return features


def feature_distances(features: Tensor, anchors: Tensor) -> Tensor:
    """Compute the Euclidean distance of each anchor to every sample (Eq. 11).

    Parameters
    ----------
    features : Tensor of shape (1 or n_targets, n_samples, d)
        Features, from `by_target`.
    anchors : Tensor of int64, shape (n_targets, n_places)
        The anchors.

    Returns
    -------
    Tensor of shape (n_targets, n_places, n_samples)
    """
    features = features.expand(len(anchors), -1, -1)
    of_anchors = features.gather(1, anchors[..., None].expand(-1, -1, features.shape[2]))
    # Not by matrix product: that loses the small distances, and its root has no gradient at 0.
    return torch.cdist(of_anchors, features, compute_mode="donot_use_mm_for_euclid_dist")


def rectify_instance_level(
    distances: Tensor,
    labels: InstanceLevelLabels,
    kappa: int | None,
    compare: Callable[[Pairs], Tangent],
) -> tuple[Tensor, Tensor]:
    """Compare every anchor with its own hard samples (Eq. 6, 7, 11).

    The positives of an anchor are the `kappa` farthest samples of its class, its negatives the
    `kappa` nearest of other classes.

    Parameters
    ----------
    distances : Tensor of shape (n_targets, n_places, n_samples)
        Distance of every anchor to every sample of the batch.
    labels : InstanceLevelLabels
        The labels.
    kappa : int or None
        Hard samples of each kind, None for all.
    compare : callable
        The comparison of the resulting pairs.

    Returns
    -------
    loss : Tensor of shape (n_targets,)
        The loss.
    by_distance : Tensor of shape (n_targets, n_places, n_samples)
        Its derivatives by the distances.
    """
    n_samples = distances.shape[2]
    kappa = n_samples if kappa is None else kappa
    is_anchor = labels.is_anchor[..., None]
    is_same = labels.codes.gather(1, labels.anchors)[..., None] == labels.codes[:, None]
    is_itself = labels.anchors[..., None] == torch.arange(n_samples, device=distances.device)
    is_positive = is_same & ~is_itself & is_anchor
    is_negative = ~is_same & (labels.codes >= 0)[:, None] & is_anchor

    hard_positives = distances.masked_fill(~is_positive, -torch.inf).topk(
        min(kappa, labels.n_members), dim=2
    )
    hard_negatives = distances.masked_fill(~is_negative, torch.inf).topk(
        min(kappa, n_samples), dim=2, largest=False
    )
    counts = hard_positives.values > -torch.inf
    # Every anchor has negatives, and so a row, of its own.
    tangent = compare(
        Pairs(
            hard_positives.values.masked_fill(~counts, 0)[:, :, None],
            counts[:, :, None] * labels.weight.to(distances.dtype),
            hard_negatives.values,
            labels.n_negatives,
            labels.scale.to(distances.dtype),
        )
    )
    by_distance = torch.zeros_like(distances)
    by_distance.scatter_add_(2, hard_positives.indices, tangent.by_positive[:, :, 0])
    by_distance.scatter_add_(2, hard_negatives.indices, tangent.by_negative)
    return tangent.intercept + (by_distance * distances).sum((1, 2)), by_distance
