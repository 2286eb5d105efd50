"""Large Margin Local Embedding (Huang et al. 2016)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from sk_crl._checks import check_integer, check_real
from sk_crl._labels import short
from sk_crl._parameters import replace_kwargs
from sk_crl.baselines._clusters import Clusters, cluster_classes, decide
from sk_crl.baselines._embedding import EmbeddingClassifier, UnitFeatures
from sk_crl.baselines._rounds import QuintupletBatch, Round, quintuplet_batches

if TYPE_CHECKING:
    from sk_crl.networks._build import ScoresAndFeatures
    from sk_crl.training._data import CodedData


class LMLEClassifier(EmbeddingClassifier):
    r"""Large Margin Local Embedding, for one target or several.

    It trains the features of a network so that inside every class its clusters, and beyond them the
    classes, are kept apart by margins, whatever the size of a class (Huang, Li, Loy and Tang:
    *Learning Deep Representation for Imbalanced Classification*, CVPR 2016). The features are
    scaled to unit length; D is the squared distance between them.

    A round runs k-means inside every class and chooses a quintuplet for every sample: the sample
    itself, the farthest one of its cluster, the nearest of its class's other clusters, the farthest
    of its class, and the nearest of another class. The network then learns, from batches that hold
    all classes alike, to keep the four distances in this order:

    .. math:: \sum_{k=1}^{3} \max(0, g_k + D_k - D_{k+1}), \quad
        g_1 = 2 \sin(\pi s l / L), \quad g_2 = 2 \sin(\pi s (L_c - l) / L), \quad
        g_3 = 2 \sin(\pi / C)

    for L samples, :math:`L_c` of them in the class, l in the cluster, and C classes. The first
    round clusters the features of the untrained network.

    After the last round the classes are clustered once more. A sample is decided by its nearest
    centroids: by the class with the largest margin between the nearest centroid of another class
    and the farthest of its own among them.

    Parameters
    ----------
    module : str, nn.Module class or callable, default="mlp"
        The network, as in `CRLClassifier` for labels of one dimension, and as in
        `MultiOutputCRLClassifier` for labels of two. Its features are trained: those that it
        returns beside the scores, or else the input of its last linear layer. The layer that makes
        the scores stays as it was.
    n_clusters : int, default=5
        Clusters in every class. A class with fewer rows has one for each of them, which a warning
        says.
    n_neighbors : int, default=1
        Number of centroids that decide. With 1 or 2 the nearest one does; more count against
        classes whose clusters lie apart. Where there are fewer, all do, which a warning says.
    margin_strength : float, default=0.5
        The share s of the arcs between clusters, in [0, 1].
    n_rounds : int, default=4
        How often to cluster and choose quintuplets before training goes on.
    max_epochs : int, default=20
        Epochs in all, spread evenly over the rounds. In an epoch as many anchors are drawn as there
        are samples. Few are enough: every step trains on the hardest samples there are, and what
        a round has chosen goes stale. Many epochs make the features worse than no training.
    lr : float, default=1e-3
        Learning rate.
    batch_size : int, default=128
        Anchors in a batch, of every target. A step trains on them and on what their quintuplets
        hold, five times as many samples at most.
    optimizer : str or torch.optim.Optimizer class, default="adam"
        The optimizer; ``optimizer__*`` parameters are passed to it.
    warm_start : bool, default=False
        Go on from the last fit instead of starting afresh: with its weights, its optimizer unless
        that has other settings now, and its random state. Every class that it has learned must
        have a row, and the centroids are those of the last samples. Fits of a round each end where
        one of so many rounds does, bit for bit on a CPU.
    device : str, default="auto"
        "cpu", "cuda", "cuda:<index>", or a GPU if there is one.
    random_state : int, RandomState, Generator or None, default=None
        Source of the initial weights, the clusters, the batches and dropout. Two fits with one
        integer are equal bit for bit on a CPU. No global generator is touched, whatever it is.
    missing_label : number or str, optional
        For several targets: a label that stands for none, beside NaN, None and NA.
    **kwargs
        Parameters starting with ``module__`` and ``optimizer__``, as those of `CRLClassifier`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of them
        The labels, sorted; a list for labels of two dimensions.
    cluster_centers_ : ndarray of shape (n_centroids, d), or a list of them
        The centroids that decide; a list for labels of two dimensions.
    cluster_labels_ : ndarray of shape (n_centroids,), or a list of them
        The class labels of these centroids.
    n_outputs_ : int
        Number of targets.
    target_names_in_ : ndarray of shape (n_outputs_,)
        Names of the targets, where y was a data frame.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had any.
    loss_curve_ : list of float
        Mean loss of every epoch, the sum over the targets, also of those of fits before.
    n_iter_ : int
        Epochs trained.
    module_ : torch.nn.Module
        The trained network.
    embedding_ : torch.nn.Module
        The network with its features scaled to unit length.

    Raises
    ------
    ValueError
        For parameters outside their range and for data that cannot be learned from. A fit that
        fails leaves the estimator as it was.
    FloatingPointError
        Where the training loss diverges.

    See Also
    --------
    TripletKNNClassifier : Another embedding, and the nearest samples in it.

    Notes
    -----
    Every round compares each sample to all others: time grows with the square of their number. A
    class with a single cluster has no other cluster to choose from, and does without the first two
    hinges. A sample that is alone is the farthest of its cluster, or class, itself.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sk_crl.baselines import LMLEClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = LMLEClassifier(random_state=0).fit(X_train, y_train)
    >>> model.cluster_labels_[:6]
    array([0, 0, 0, 0, 0, 1])
    >>> print(f"{model.score(X_test, y_test):.2f}")
    0.97
    """

    @replace_kwargs()
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "mlp",
        *,
        n_clusters: int = 5,
        n_neighbors: int = 1,
        margin_strength: float = 0.5,
        n_rounds: int = 4,
        max_epochs: int = 20,
        lr: float = 1e-3,
        batch_size: int = 128,
        optimizer: str | type[torch.optim.Optimizer] = "adam",
        warm_start: bool = False,
        device: str = "auto",
        random_state: Any = None,
        missing_label: float | str | None = None,
        **kwargs,
    ):
        self.module = module
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.margin_strength = margin_strength
        self.n_rounds = n_rounds
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.missing_label = missing_label
        self._set_prefixed(kwargs)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_integer("n_clusters", self.n_clusters, 1)
        check_integer("n_rounds", self.n_rounds, 1)
        check_real("margin_strength", self.margin_strength, 0, 1)
        if self.max_epochs < self.n_rounds:
            raise ValueError(
                f"max_epochs must be at least n_rounds={self.n_rounds}, one epoch for every round; "
                f"got {self.max_epochs}."
            )

    def _embedding(self, network: ScoresAndFeatures, data: CodedData) -> nn.Module:
        embedding = UnitFeatures(network).eval()
        if not embedding(data.take(torch.arange(2))).requires_grad:
            raise ValueError(
                "The features of the module do not depend on any weights that train, and features "
                "are what LMLE trains; give the network a hidden layer."
            )
        return embedding

    def _learn(
        self,
        data: CodedData,
        optimizer: torch.optim.Optimizer,
        seed: int,
        generator: torch.Generator,
    ) -> None:
        self._warn_of_small_classes(data.y.cpu().numpy())
        for epochs in np.array_split(np.arange(self.max_epochs), self.n_rounds):
            features = self._embed(data)
            clusters = self._cluster(features, data.y, seed)
            rounds = [
                Round.choose(of_target, codes, found, self.margin_strength)
                for of_target, codes, found in zip(
                    features.unbind(1), data.y.unbind(1), clusters, strict=True
                )
            ]
            for _ in epochs:
                batches = quintuplet_batches(rounds, self.batch_size, generator)
                losses = (partial(self._loss, batch, data.take(batch.samples)) for batch in batches)
                self.loss_curve_.append(self._run_epoch(optimizer, losses))
        self._publish(self._cluster(self._embed_trained(data), data.y, seed))

    def _loss(self, batch: QuintupletBatch, X: Tensor) -> Tensor:
        """Compute the loss of a batch of these samples."""
        return batch.loss(self.embedding_(X))

    def _warn_of_small_classes(self, codes: NDArray[np.int64]) -> None:
        """Warn of classes with fewer rows than clusters."""
        for title, classes, of_target in zip(
            self._targets.titles, self._targets.classes, codes.T, strict=True
        ):
            is_small = np.bincount(of_target[of_target >= 0]) < self.n_clusters
            if is_small.any():
                warnings.warn(
                    f"Classes {short(classes[is_small])} of {title} have fewer rows than "
                    f"n_clusters={self.n_clusters}: they get a cluster for each row.",
                    stacklevel=4,
                )

    def _cluster(self, features: Tensor, codes: Tensor, seed: int) -> list[Clusters]:
        """Cluster the classes of every target."""
        targets = zip(features.cpu().unbind(1), codes.cpu().unbind(1), strict=True)
        return [
            cluster_classes(of_target.numpy(), known.numpy(), self.n_clusters, seed)
            for of_target, known in targets
        ]

    def _publish(self, clusters: list[Clusters]) -> None:
        """Set the fitted attributes that decide."""
        self._centroids = [(found.centers, found.classes) for found in clusters]
        self._n_deciding = [min(self.n_neighbors, len(found.classes)) for found in clusters]
        for title, n_deciding in zip(self._targets.titles, self._n_deciding, strict=True):
            if n_deciding < self.n_neighbors:
                warnings.warn(
                    f"n_neighbors={self.n_neighbors} is more than the centroids of {title}: all "
                    f"{n_deciding} decide.",
                    stacklevel=4,
                )
        centers = [found.centers for found in clusters]
        labels = [
            known[found.classes]
            for known, found in zip(self._targets.classes, clusters, strict=True)
        ]
        self.cluster_centers_ = centers[0] if self._has_one_target else centers
        self.cluster_labels_ = labels[0] if self._has_one_target else labels

    def _codes(self, X: ArrayLike) -> NDArray[np.int64]:
        features = self._embedded(X).cpu()
        targets = zip(
            features.unbind(1),
            self._centroids,
            self._targets.layout.n_classes,
            self._n_deciding,
            strict=True,
        )
        decided = [
            decide(of_target, *map(torch.from_numpy, centroids), n_classes, n_neighbors)
            for of_target, centroids, n_classes, n_neighbors in targets
        ]
        return torch.stack(decided, 1).numpy()
