"""Quintuplets and the triple-header hinge loss (Huang et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor

_CHUNK = 2**22  # distances that are compared at a time


def choose_quintuplets(
    features: Tensor, codes: Tensor, clusters: Tensor, anchors: Tensor
) -> Tensor:
    """Choose the quintuplet of every anchor.

    Parameters
    ----------
    features : Tensor of shape (n_samples, d)
        The features.
    codes : Tensor of int64, shape (n_samples,)
        Class codes, -1 where a label is missing.
    clusters : Tensor of int64, shape (n_samples,)
        Clusters, each of samples of one class, -1 where a label is missing.
    anchors : Tensor of int64, shape (n_anchors,)
        Samples with a label.

    Returns
    -------
    Tensor of int64, shape (n_anchors, 5)
        The anchor; the farthest sample of its cluster; the nearest of its class's other clusters;
        the farthest of its class; and the nearest of another class. The anchor itself is the
        farthest where it is alone, and -1 stands where there is no other cluster or class.
    """
    squares = features.square().sum(1)
    chosen = []
    for rows in anchors.split(max(_CHUNK // len(features), 1)):
        # Squared distances, less the anchor's own square, which changes no order.
        distances = torch.addmm(squares, features[rows], features.T, alpha=-2)
        of_class = codes[rows, None] == codes
        of_cluster = clusters[rows, None] == clusters
        of_another = (codes >= 0) & ~of_class
        others = [
            _farthest(distances, of_cluster),
            _nearest(distances, of_class & ~of_cluster),
            _farthest(distances, of_class),
            _nearest(distances, of_another),
        ]
        chosen.append(torch.stack([rows, *others], 1))
    return torch.cat(chosen)


def _farthest(distances: Tensor, among: Tensor) -> Tensor:
    """Find the farthest sample of some in every row."""
    return distances.masked_fill(~among, -torch.inf).argmax(1)


def _nearest(distances: Tensor, among: Tensor) -> Tensor:
    """Find the nearest sample of some in every row, -1 where there is none."""
    nearest = distances.masked_fill(~among, torch.inf).argmin(1)
    return nearest.masked_fill(~among.any(1), -1)


def quintuplet_margins(
    class_sizes: Tensor, cluster_sizes: Tensor, n_samples: int, n_classes: int, strength: float
) -> Tensor:
    r"""Compute the three margins of every anchor.

    .. math:: g_1 = 2 \sin(\pi s l / L), \quad g_2 = 2 \sin(\pi s (L_c - l) / L), \quad
        g_3 = 2 \sin(\pi / C)

    Parameters
    ----------
    class_sizes, cluster_sizes : Tensor of shape (n_anchors,)
        Number of samples in every anchor's class, :math:`L_c`, and cluster, :math:`l`.
    n_samples : int
        Number of samples with a label, :math:`L`.
    n_classes : int
        Number of classes, :math:`C`.
    strength : float
        The share :math:`s` of the arcs, in [0, 1].

    Returns
    -------
    Tensor of shape (n_anchors, 3)
        The margins.
    """
    within = cluster_sizes / n_samples
    between = (class_sizes - cluster_sizes) / n_samples
    classes = torch.full_like(within, 1 / n_classes)
    arcs = torch.stack([strength * within, strength * between, classes], 1)
    return 2 * (torch.pi * arcs).sin()


def triple_header_hinge(features: Tensor, quintuplets: Tensor, margins: Tensor) -> Tensor:
    r"""Compute the mean loss of quintuplets.

    The squared distances :math:`D_1, ..., D_4` from an anchor to the other four should keep their
    order, each with a margin to the next:

    .. math:: \sum_{k=1}^{3} \max(0, g_k + D_k - D_{k+1})

    Parameters
    ----------
    features : Tensor of shape (n_samples, d)
        Features of unit length.
    quintuplets : Tensor of int64, shape (n_anchors, 5)
        Samples. A hinge with one that is missing, -1, is left out.
    margins : Tensor of shape (n_anchors, 3)
        The margins.

    Returns
    -------
    Tensor of shape ()
        The loss.
    """
    anchors, others = quintuplets[:, :1], quintuplets[:, 1:]
    distances = (features[anchors] - features[others]).square().sum(2)
    hinges = (margins + distances[:, :-1] - distances[:, 1:]).clamp(min=0)
    is_there = others >= 0
    return (hinges * (is_there[:, :-1] & is_there[:, 1:])).sum(1).mean()
