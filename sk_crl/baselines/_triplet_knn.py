"""Triplet-kNN: an embedding learned from triplets, and the nearest samples in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from sk_crl._checks import check_integer, check_real
from sk_crl._extras import import_extra
from sk_crl._parameters import replace_kwargs
from sk_crl.baselines._embedding import EmbeddingClassifier
from sk_crl.baselines._neighbors import check_weights, fit_neighbors

if TYPE_CHECKING:
    from sk_crl.networks._build import ScoresAndFeatures
    from sk_crl.training._data import CodedData


class Projection(nn.Module):
    """A linear layer on all features of a network, to the unit sphere.

    Parameters
    ----------
    network : ScoresAndFeatures
        The network. Its scores are not used, and the layer that makes them does not train.
    n_features : int
        Number of its features, those of all targets together.
    dimension : int
        Dimension of the embedding.
    """

    def __init__(self, network: ScoresAndFeatures, n_features: int, dimension: int):
        super().__init__()
        self.network = network
        self.projection = nn.Linear(n_features, dimension)

    def forward(self, X: Tensor) -> Tensor:
        """Compute embeddings, (n_samples, dimension)."""
        _, features = self.network.with_features(X)
        return F.normalize(self.projection(features.flatten(1)), dim=1)


class SemiHardTripletLoss(nn.Module):
    r"""The mean hinge over all triplets of a batch whose negatives are semi-hard.

    A negative is semi-hard where it is farther from the anchor than the positive, by no more than
    the margin (Schroff et al.: *FaceNet*, 2015): the mean of :math:`m + D_+ - D_-` over all
    triplets with :math:`0 < D_- - D_+ \le m`, for squared distances D.

    Parameters
    ----------
    margin : float
        The margin m.
    user : str
        What messages call who needs it.
    """

    def __init__(self, margin: float, user: str):
        super().__init__()
        package = "pytorch_metric_learning"
        distances, losses, miners, reducers = (
            import_extra(f"{package}.{name}", "baselines", user)
            for name in ("distances", "losses", "miners", "reducers")
        )
        distance = distances.LpDistance(p=2, power=2, normalize_embeddings=False)
        self.miner = miners.TripletMarginMiner(margin, "semihard", distance=distance)
        self.loss = losses.TripletMarginLoss(
            margin, distance=distance, reducer=reducers.MeanReducer()
        )

    def forward(self, embeddings: Tensor, codes: Tensor) -> Tensor:
        """Compute the sum of the losses of all targets.

        Parameters
        ----------
        embeddings : Tensor of shape (n_samples, dimension)
            Embeddings of unit length.
        codes : Tensor of int64, shape (n_samples, n_targets)
            Class codes, -1 where a label is missing.

        Returns
        -------
        Tensor of shape ()
            The loss, 0 where there is no such triplet.
        """
        total = 0 * embeddings.sum()
        for known in codes.unbind(1):
            points, labels = embeddings[known >= 0], known[known >= 0]
            if len(points) > 1:  # the library does not take an empty batch
                total = total + self.loss(points, labels, self.miner(points, labels))
        return total


class TripletKNNClassifier(EmbeddingClassifier):
    r"""Embedding learned from triplets, and k nearest neighbours in it, for one target or several.

    A linear layer on a network's features, scaled to unit length, is trained on all triplets of a
    batch whose negatives are semi-hard (Schroff, Kalenichenko and Philbin: *FaceNet*, CVPR 2015),
    as Dong, Gong and Zhu compare it. The targets share the embedding, and their losses are summed.
    The nearest training samples decide, for every target those that have a label of it.

    It needs pytorch-metric-learning, which the extra ``baselines`` installs.

    Parameters
    ----------
    module : str, nn.Module class or callable, default="mlp"
        The network, as in `CRLClassifier` for labels of one dimension, and as in
        `MultiOutputCRLClassifier` for labels of two. Its features are used: those that it returns
        beside the scores, or else the input of its last linear layer. The layer that makes the
        scores stays as it was.
    dimension : int, default=128
        Dimension of the embedding.
    margin : float, default=0.2
        Margin between squared distances, in (0, 4).
    n_neighbors : int, default=5
        Number of training samples that decide. Where there are fewer, all do, which a warning says.
    weights : {"uniform", "distance"} or callable, default="uniform"
        How much each of them counts, as in `sklearn.neighbors.KNeighborsClassifier`.
    max_epochs : int, default=100
        Passes over the training data.
    lr : float, default=1e-3
        Learning rate.
    batch_size : int, default=128
        Samples in a batch. Time and memory of a step grow with its third power.
    optimizer : str or torch.optim.Optimizer class, default="adam"
        The optimizer; ``optimizer__*`` parameters are passed to it.
    warm_start : bool, default=False
        Go on from the last fit instead of starting afresh: with its weights, its optimizer unless
        that has other settings now, and its random state. Every class that it has learned must
        have a row, and the neighbours are those of the last samples. Fits of an epoch each end
        where one of so many epochs does, bit for bit on a CPU.
    device : str, default="auto"
        "cpu", "cuda", "cuda:<index>", or a GPU if there is one.
    random_state : int, RandomState, Generator or None, default=None
        Source of the initial weights, the batches' order and dropout. Two fits with one integer are
        equal bit for bit on a CPU. No global generator is touched, whatever it is.
    missing_label : number or str, optional
        For several targets: a label that stands for none, beside NaN, None and NA.
    **kwargs
        Parameters starting with ``module__`` and ``optimizer__``, as those of `CRLClassifier`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of them
        The labels, sorted; a list for labels of two dimensions.
    neighbors_ : list of KNeighborsClassifier
        What decides, for every target; its classes are places among `classes_`.
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
        The network with the layer that embeds.

    Raises
    ------
    ImportError
        Without pytorch-metric-learning; the message names the extra.
    ValueError
        For parameters outside their range and for data that cannot be learned from. A fit that
        fails leaves the estimator as it was.
    FloatingPointError
        Where the training loss diverges.

    See Also
    --------
    LMLEClassifier : An embedding with class-balanced batches and margins between clusters.

    Notes
    -----
    Batches are drawn without regard to classes. A class of which a batch has a single sample has no
    triplet with that sample as its anchor, and a batch without any semi-hard triplet teaches
    nothing.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sk_crl.baselines import TripletKNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = TripletKNNClassifier(max_epochs=5, random_state=0).fit(X_train, y_train)
    >>> model.features(X_test).shape
    (450, 128)
    >>> print(f"{model.score(X_test, y_test):.2f}")
    0.99
    """

    @replace_kwargs()
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "mlp",
        *,
        dimension: int = 128,
        margin: float = 0.2,
        n_neighbors: int = 5,
        weights: str | Callable = "uniform",
        max_epochs: int = 100,
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
        self.dimension = dimension
        self.margin = margin
        self.n_neighbors = n_neighbors
        self.weights = weights
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
        check_integer("dimension", self.dimension, 1)
        check_real("margin", self.margin, 0, 4, "()")
        check_weights(self.weights)

    @torch.no_grad()
    def _embedding(self, network: ScoresAndFeatures, data: CodedData) -> nn.Module:
        _, features = network.eval().with_features(data.take(torch.arange(2)))
        return Projection(network, features[0].numel(), self.dimension)

    def _learn(
        self,
        data: CodedData,
        optimizer: torch.optim.Optimizer,
        seed: int,
        generator: torch.Generator,
    ) -> None:
        loss = SemiHardTripletLoss(self.margin, type(self).__name__)
        for _ in range(self.max_epochs):
            order = torch.randperm(len(data), generator=generator)
            if len(order) > 1 and len(order) % self.batch_size == 1:
                order = order[:-1]  # batch normalisation cannot train on a single sample
            batches = data.source.batches(data.rows[order], self.batch_size)
            codes = data.y[order.to(data.y.device)].split(self.batch_size)
            losses = (
                partial(self._loss, loss, *batch) for batch in zip(batches, codes, strict=True)
            )
            self.loss_curve_.append(self._run_epoch(optimizer, losses))
        features = self._embed_trained(data).cpu().numpy()
        codes, titles = data.y.cpu().numpy(), self._targets.titles
        self.neighbors_ = fit_neighbors(
            [features] * len(titles), codes, titles, self.n_neighbors, self.weights
        )

    def _loss(self, loss: SemiHardTripletLoss, X: Tensor, codes: Tensor) -> Tensor:
        """Compute the loss of a batch."""
        return loss(self.embedding_(X), codes)

    def _codes(self, X: ArrayLike) -> NDArray[np.int64]:
        features = self._embedded(X).cpu().numpy()
        return np.column_stack([neighbors.predict(features) for neighbors in self.neighbors_])

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """Compute the share of every class among the neighbours.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or a list of them
            Columns in the order of `classes_`; a list for labels of two dimensions.
        """
        features = self._embedded(X).cpu().numpy()
        shares = [neighbors.predict_proba(features) for neighbors in self.neighbors_]
        return shares[0] if self._has_one_target else shares
