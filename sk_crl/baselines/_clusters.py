"""Clusters inside every class, and the decision by their centroids (Huang et al. 2016)."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

_CHUNK = 2**22  # numbers that a decision holds at a time


class Clusters(NamedTuple):
    """The clusters of all classes of one target, numbered through.

    Attributes
    ----------
    of_samples : ndarray of int64, shape (n_samples,)
        Cluster of every sample, -1 where it has no label.
    classes : ndarray of int64, shape (n_clusters,)
        Class code of every cluster, ascending.
    centers : ndarray of shape (n_clusters, d)
        Mean of every cluster's features.
    """

    of_samples: NDArray[np.int64]
    classes: NDArray[np.int64]
    centers: NDArray

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of samples in every cluster."""
        return np.bincount(self.of_samples[self.of_samples >= 0], minlength=len(self.classes))


def cluster_classes(
    features: NDArray, codes: NDArray[np.int64], n_clusters: int, seed: int
) -> Clusters:
    """Run k-means inside every class.

    A class with fewer samples than clusters has as many clusters as samples, and one whose samples
    coincide as many as there are places.

    Parameters
    ----------
    features : ndarray of shape (n_samples, d)
        The features.
    codes : ndarray of int64, shape (n_samples,)
        Class codes, -1 where a label is missing.
    n_clusters : int
        Clusters in every class, at most.
    seed : int
        Seed of k-means.

    Returns
    -------
    Clusters
    """
    of_samples = np.full(len(codes), -1)
    classes, centers = [], []
    for code in np.unique(codes[codes >= 0]):
        rows = np.flatnonzero(codes == code)
        k_means = KMeans(min(n_clusters, len(rows)), random_state=seed)
        with warnings.catch_warnings():  # of clusters left empty where samples coincide
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = k_means.fit_predict(features[rows])
        _, found = np.unique(found, return_inverse=True)
        of_samples[rows] = found + len(classes)
        for cluster in range(found.max() + 1):
            classes.append(code)
            centers.append(features[rows[found == cluster]].mean(axis=0))
    return Clusters(of_samples, np.array(classes), np.array(centers))


def decide(
    features: Tensor, centers: Tensor, classes: Tensor, n_classes: int, n_neighbors: int
) -> Tensor:
    """Decide by the nearest centroids, with the largest margin between classes.

    Among the `n_neighbors` nearest centroids of a sample, a class has the margin ``min(distance to
    the other classes' centroids) - max(distance to its own)``; without a centroid among them it is
    out, and it wins where all of them are its own. Distances are squared.

    Parameters
    ----------
    features : Tensor of shape (n_samples, d)
        Features of the samples.
    centers : Tensor of shape (n_clusters, d)
        The centroids.
    classes : Tensor of int64, shape (n_clusters,)
        Class codes of the centroids.
    n_classes : int
        Number of classes.
    n_neighbors : int
        Number of centroids that decide, at most all.

    Returns
    -------
    Tensor of int64, shape (n_samples,)
        Class codes.
    """
    codes = torch.arange(n_classes, device=features.device)[:, None]
    decided = []
    for part in features.split(max(_CHUNK // (n_classes * n_neighbors + len(centers)), 1)):
        distances = torch.cdist(part, centers).square()
        nearest, places = distances.topk(n_neighbors, largest=False)
        nearest = nearest[:, None]
        is_own = classes[places][:, None] == codes  # (n_samples, n_classes, n_neighbors)
        to_own = nearest.masked_fill(~is_own, -torch.inf).amax(2)
        to_others = nearest.masked_fill(is_own, torch.inf).amin(2)
        margins = (to_others - to_own).masked_fill(~is_own.any(2), -torch.inf)
        decided.append(margins.argmax(1))
    return torch.cat(decided)
