"""Last layers that are trained again on class-balanced samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from sk_crl._checks import check_integer, check_real, draw_seed
from sk_crl._reading import unchanged_on_error
from sk_crl.baselines._balanced_training import train_balanced
from sk_crl.baselines._deciding import FittedOnAll
from sk_crl.baselines._network_wrapper import Linear, NetworkWrapper, Seen, see


class RetrainedHeadClassifier(NetworkWrapper):
    r"""The last layer of a network trained again, on class-balanced samples (cRT).

    A network that has learned from samples as frequent as they come has good features, but a last
    layer that favours frequent classes. Classifier re-training (Kang et al.: *Decoupling
    representation and classifier for long-tailed recognition*, ICLR 2020) keeps what comes before
    the last layer as it is, and trains a new last layer by cross-entropy on batches in which all
    classes are equally frequent. These leave no prior to correct for: the ``logit_adjustment`` of
    the network's estimator has a part in training the features at most, and none in decisions.

    Parameters
    ----------
    estimator : CRLClassifier, MultiOutputCRLClassifier or what extends them
        Trains the network, a single one (``n_members=1``), whose scores are the output of an
        `nn.Linear` layer or of `sk_crl.networks.Branches`. It may stand at the end of a pipeline,
        or be a fitted one in a `sklearn.frozen.FrozenEstimator`, which is not fitted again.
    max_epochs : int, default=30
        Passes over as many samples as there are. With many, rare classes are learned by heart.
    lr : float, default=3e-3
        Learning rate of Adam at the start; it falls to 0 along a cosine.
    batch_size : int, default=128
        Samples in a batch, for every target others, of those that have a label of it. Those of a
        class come round in a random order: none comes again before all others have, in an epoch.
    random_state : int, RandomState, Generator or None, default=None
        Source of the initial weights and of the draws; the estimator has its own. No global
        generator is touched.

    Attributes
    ----------
    estimator_ : estimator
        The estimator, fitted; its own last layer stays as it was.
    weight_ : ndarray of shape (n_classes, d), or list of them
        The weights of the new layer for the features that the last layer is given.
    bias_ : ndarray of shape (n_classes,), or list of them
        Its biases.
    loss_curve_ : list of float
        Cross-entropy of every epoch, summed over the targets.
    classes_ : ndarray of shape (n_classes,), or list of them
        The labels, those of every target where there are several.
    n_features_in_ : int
        Number of features, where the estimator knows it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where the estimator knows them.

    Raises
    ------
    ValueError
        For an estimator without such a network, parameters outside their range and data that
        cannot be learned from. A fit that fails leaves the classifier as it was.
    FloatingPointError
        Where the loss diverges.

    See Also
    --------
    TauNormalizedClassifier : Scales the weights that there are.
    ResampledClassifier : Trains the whole network on sampled data.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sk_crl import CRLClassifier
    >>> from sk_crl.baselines import RetrainedHeadClassifier
    >>> X, y = make_classification(600, weights=[0.9], flip_y=0, random_state=0)
    >>> plain = CRLClassifier(n_members=1, alpha=0, max_epochs=30, random_state=0)
    >>> head = RetrainedHeadClassifier(plain, random_state=0)
    >>> model = make_pipeline(StandardScaler(), head).fit(X, y)
    >>> model[-1].weight_.shape
    (2, 100)
    """

    def __init__(
        self,
        estimator: Any,
        *,
        max_epochs: int = 30,
        lr: float = 3e-3,
        batch_size: int = 128,
        random_state: Any = None,
    ):
        self.estimator = estimator
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **fit_params
    ) -> RetrainedHeadClassifier:
        """Fit the estimator, and then a new last layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training samples, in any shape and container that the estimator takes.
        y : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
            Their labels; missing ones where the estimator takes them.
        sample_weight : array-like of shape (n_samples,), optional
            Weights, for the estimator, and for the new layer within each class.
        **fit_params : dict
            What the estimator's `fit` is told further.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For an estimator without a network, parameters outside their range and data that cannot
            be learned from; nothing is changed then.
        FloatingPointError
            Where the loss diverges.
        """
        self._check_estimator()
        check_integer("max_epochs", self.max_epochs, 1)
        check_integer("batch_size", self.batch_size, 1)
        check_real("lr", self.lr, 0, math.inf, "()")
        with unchanged_on_error(self):
            fitted = self._fit_on_all(X, y, sample_weight, fit_params)
            layers = self._trained(see(fitted.estimator, X), fitted)
            self._keep(fitted)
            self.weight_ = self._published([layer.weight for layer in layers])
            self.bias_ = self._published([layer.bias for layer in layers])
        return self

    def _trained(self, seen: Seen, fitted: FittedOnAll) -> list[Linear]:
        """Train a layer for every target; set `loss_curve_`."""
        has_label = (fitted.codes >= 0) & (fitted.weight > 0)[:, None]
        for column, some in zip(fitted.labels, has_label.any(axis=0), strict=True):
            if not some:
                raise ValueError(f"{column.title} has no label at all; leave this target out.")
        rows = has_label.any(axis=1)
        weight, bias, self.loss_curve_ = train_balanced(
            seen.features[torch.from_numpy(rows)].to(seen.device),
            torch.from_numpy(fitted.codes[rows]),
            torch.from_numpy(fitted.weight[rows]),
            seen.layout,
            max_epochs=self.max_epochs,
            lr=self.lr,
            batch_size=self.batch_size,
            generator=torch.Generator().manual_seed(draw_seed(self.random_state)),
        )
        last = Linear(*(part.double().cpu().numpy() for part in (weight, bias)))
        return seen._replace(last=last).layers()

    def _layers(self, seen: Seen) -> list[Linear]:
        several = isinstance(self.classes_, list)
        weights, biases = (p if several else [p] for p in (self.weight_, self.bias_))
        return [Linear(np.asarray(w), b) for w, b in zip(weights, biases, strict=True)]
