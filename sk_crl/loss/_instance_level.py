"""Instance-level rectification: hard samples and distances in feature space (Eq. 6-7, 11)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize as unit_norm

from sk_crl.loss._comparison import Pairs, Tangent
from sk_crl.loss._profile import Profile


def anchors_of(profile: Profile) -> Tensor:
    """List the sample in every place of a profile, ``(n_targets, n_places)``."""
    return profile.run.argsort(dim=1, stable=True)[:, : profile.classes.shape[1]]


def feature_distances(features: Tensor, anchors: Tensor, normalize: bool) -> Tensor:
    """Compute the Euclidean distance of each anchor to every sample (Eq. 11).

    Parameters
    ----------
    features : Tensor of shape (n_samples, d) or (n_samples, n_targets, d)
        Features, shared by the targets or one per target.
    anchors : Tensor of int64, shape (n_targets, n_places)
        The anchors.
    normalize : bool
        Whether to scale features to unit length first.

    Returns
    -------
    Tensor of shape (n_targets, n_places, n_samples)
    """
    if features.ndim == 2:
        features = features[:, None].expand(-1, len(anchors), -1)
    features = features.transpose(0, 1)
    if normalize:
        # At a zero vector eps bounds the gradient, to what half precision can hold.
        features = unit_norm(features, dim=2, eps=1e-4)
    of_anchors = features.gather(1, anchors[..., None].expand(-1, -1, features.shape[2]))
    # Not by matrix product: that loses the small distances, and its root has no gradient at 0.
    return torch.cdist(of_anchors, features, compute_mode="donot_use_mm_for_euclid_dist")


def rectify_instance_level(
    distances: Tensor,
    anchors: Tensor,
    profile: Profile,
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
    anchors : Tensor of int64, shape (n_targets, n_places)
        The anchors.
    profile : Profile
        The labels' profile.
    kappa : int or None
        Hard samples of each kind, None for all.
    compare : callable
        The comparison of the resulting pairs.

    Returns
    -------
    intercept : Tensor of shape (n_targets,)
        The loss less the distances times their derivatives.
    gradient : Tensor of shape (n_targets, n_places, n_samples)
        Its derivatives by the distances.
    """
    n_places, n_samples = distances.shape[1:]
    kappa = n_samples if kappa is None else kappa
    is_anchor = (profile.size > 0)[..., None]
    same = profile.classes[..., None] == profile.codes[:, None]
    itself = anchors[..., None] == torch.arange(n_samples, device=anchors.device)
    fellow = same & ~itself & is_anchor
    rival = ~same & (profile.codes >= 0)[:, None] & is_anchor

    farthest = distances.masked_fill(~fellow, -torch.inf).topk(min(kappa, n_places), dim=2)
    nearest = distances.masked_fill(~rival, torch.inf).topk(
        min(kappa, n_samples), dim=2, largest=False
    )
    is_positive = farthest.values > -torch.inf
    n_triplets = profile.n_triplets.clamp(min=1).to(distances.dtype)
    tangent = compare(
        Pairs(
            farthest.values.masked_fill(~is_positive, 0),
            is_positive / n_triplets[:, None, None],
            nearest.values,
            profile.n_negatives,
        )
    )
    gradient = torch.zeros_like(distances)
    gradient.scatter_add_(2, farthest.indices, tangent.by_positive)
    gradient.scatter_add_(2, nearest.indices, tangent.by_negative)
    return tangent.intercept, gradient
