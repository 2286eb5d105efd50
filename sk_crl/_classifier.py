"""The classifier for one target."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from sk_crl._base import BaseCRL
from sk_crl._class_weight import class_weights
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl._samples import Samples
from sk_crl.loss import minority_classes


class CRLClassifier(ClassifierMixin, BaseCRL):
    r"""Neural network trained with the Class Rectification Loss, for one target.

    Beside cross-entropy, every batch pulls hard samples of the minority classes over to their side
    of the class boundary (Dong, Gong and Zhu: *Imbalanced Deep Learning by Minority Class
    Incremental Rectification*); the class prior is removed from the scores when they decide (Menon
    et al.: *Long-tail learning via logit adjustment*, 2021).

    Networks want features on one scale: put a scaler before it, as in the example. ``alpha=0`` is
    logit adjustment alone, ``alpha=0, logit_adjustment=None`` plain cross-entropy, and
    ``logit_adjustment=None`` the paper's own loss. Grid searches and `score` use the balanced
    accuracy unless they are told otherwise.

    Parameters
    ----------
    module : str, nn.Module class or callable, default="mlp"
        The network: a name (``"mlp"``), a class, or any callable that builds an `nn.Module`. It is
        told `n_features`, `n_classes` and `input_shape` (the shape of one sample) where its
        signature asks for them, and the ``module__*`` parameters. It returns scores of shape
        (n_samples, n_classes), or a tuple of scores and the features before them.
    eta : float, default=0.5
        Weight of class rectification per unit of imbalance: :math:`\alpha = \min(\eta\Omega, 1)`
        (Eq. 8).
    alpha : float, optional
        Weight of class rectification in [0, 1], instead of the one from `eta`; cross-entropy
        weighs ``1 - alpha``.
    kappa : int or None, default=25
        Hard positives and hard negatives for each anchor; None compares with the whole batch.
    rho : float, default=0.5
        Share of a batch that its minority classes hold together at most (Eq. 3), in (0, 1].
    level : {"class", "instance"}, default="class"
        Compare predicted probabilities or features. Features of a network that returns scores
        alone are the input of its last linear layer.
    comparison : {"relative", "absolute", "distribution"}, default="relative"
        Triplet ranking (Eq. 9), contrastive (Eq. 13) or histogram loss (Eq. 14-16).
    margin : float, optional
        Margin of the relative and absolute comparison; the paper's by default, see
        `sk_crl.loss.class_rectification`.
    scope : {"minority", "all"}, default="minority"
        Classes whose samples are anchors.
    normalize : bool, default=True
        Scale features to unit length for ``level="instance"``.
    bins : int, default=100
        Nodes of the histograms of ``comparison="distribution"``.
    logit_adjustment : {"predict", "loss", None}, default="predict"
        Where the training prior is corrected for: when scores decide, in the cross-entropy, or
        nowhere. With either correction, ``tau=1`` and no class weights probabilities are those
        under a uniform prior.
    tau : float, default=1.0
        Strength of the correction; 1 corrects for the whole prior.
    rectify : {"unadjusted", "adjusted"}, default="unadjusted"
        With ``logit_adjustment="loss"``: rectify the probabilities of the scores themselves, which
        predict, or of the scores that cross-entropy sees.
    class_weight : {None, "balanced", "exp"} or dict, default=None
        Weight of every class in the cross-entropy: 1, inverse to its frequency, the paper's
        ``exp(-share)``, or by label (1 for labels that are not named). ``"balanced"`` corrects for
        the prior as logit adjustment does: use one of them, with ``logit_adjustment=None``.
    max_epochs : int, default=100
        Passes over the training data. A few hundred samples make few steps: raise it there. Logit
        adjustment at prediction needs a network that has learned its training data.
    lr : float, default=3e-3
        Learning rate.
    batch_size : int, default=128
        Samples in a batch. A single sample left over at the end of an epoch sits it out.
    optimizer : str or torch.optim.Optimizer class, default="adam"
        The optimizer; ``optimizer__*`` parameters are passed to it.
    early_stopping : bool, default=False
        Stop when the monitored score of validation data has not improved for `patience` epochs,
        and return to the best epoch. Validation data are split off the training data, stratified,
        unless `fit` is given some.
    validation_fraction : float, default=0.1
        Share of the training data to split off, in (0, 1); at least one sample for every class.
    patience : int, default=10
        Epochs without improvement after which training stops.
    monitor : {"balanced_log_loss", "balanced_accuracy"}, default="balanced_log_loss"
        What is monitored on validation data. Every class counts alike, or as much as a dict
        `class_weight` says; the named class weights are remedies, and do not count here.
    warm_start : bool, default=False
        Go on from the last fit instead of starting afresh.
    callbacks : list of skorch callbacks, optional
        Each fit uses copies of them.
    device : str, default="auto"
        "cpu", "cuda", "cuda:<index>", or a GPU if there is one.
    random_state : int, RandomState, Generator or None, default=None
        Source of the initial weights, the batches' order, dropout and the validation split. Two
        fits with one integer are equal bit for bit on a CPU. No global generator is touched,
        whatever it is.
    verbose : bool, default=False
        Show a progress bar.
    **kwargs
        Parameters starting with ``module__`` and ``optimizer__``; the default network takes
        ``module__hidden_units=(100,)``, a width or one for every
        layer, and ``module__dropout=0.0``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had any.
    class_counts_ : ndarray of shape (n_classes,)
        Number of training samples of every class, or their total weight.
    prior_ : ndarray of shape (n_classes,)
        Their shares.
    omega_ : float
        Imbalance of the training data (Eq. 8), in [0, 1).
    alpha_ : float
        Weight that class rectification had.
    minority_classes_ : ndarray
        Labels of the classes that are minorities of the training data (Eq. 3).
    loss_curve_ : list of float
        Training loss of every epoch.
    validation_scores_ : list of float
        Monitored score of every epoch, higher is better; where there were validation data.
    best_validation_score_ : float
        The highest of them.
    n_iter_ : int
        Epochs trained.
    module_ : torch.nn.Module
        The trained network.
    net_ : skorch.NeuralNetClassifier
        The skorch net around it, with its history.

    Raises
    ------
    ValueError
        For parameters outside their range and for data that cannot be learned from. A fit that
        fails leaves the estimator as it was.
    FloatingPointError
        Where the training loss diverges.

    See Also
    --------
    sk_crl.loss.ClassRectificationLoss : The loss by itself.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sk_crl import CRLClassifier
    >>> X, y = make_classification(1000, weights=[0.95], flip_y=0, random_state=0)
    >>> model = make_pipeline(StandardScaler(), CRLClassifier(random_state=0))
    >>> model.fit(X, y).predict(X[:3])
    array([0, 0, 0])
    >>> model[-1].minority_classes_
    array([1])
    """

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> CRLClassifier:
        """Train.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Training samples, in any shape that the module accepts.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), optional
            Weights in the cross-entropy and in the class counts. Class rectification ignores them,
            but a sample of weight 0 is as good as absent.
        X_val, y_val : array-like, optional
            Validation samples and labels. Their scores are recorded, and are what early stopping
            watches.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> CRLClassifier:
        """Train for one epoch on more data.

        Class counts, and with them prior and imbalance, add up over all calls.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Training samples.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), optional
            All labels that will ever occur; required on the first call.
        sample_weight : array-like of shape (n_samples,), optional
            Weights, as in `fit`.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, classes, sample_weight)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute the scores that decide, corrected for the prior where it is removed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            One score for every class; for two classes the second's less the first's.
        """
        scores = self._adjusted_scores(X).numpy()
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Predict the probability of every class.

        With logit adjustment these are probabilities under a uniform prior (for ``tau=1``).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._adjusted_scores(X).softmax(1).numpy()

    def predict(self, X: ArrayLike) -> NDArray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            The most probable labels.
        """
        codes = self._adjusted_scores(X).argmax(1).numpy()
        return self.classes_[codes]

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the balanced accuracy (Eq. 17-18), not the plain one of other classifiers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), optional
            Weights.

        Returns
        -------
        float
            The mean of the per-class sensitivities.
        """
        return balanced_accuracy_score(y, self.predict(X), sample_weight=sample_weight)

    def _adjusted_scores(self, X: ArrayLike) -> torch.Tensor:
        scores = self._scores(X)
        return self.net_.predict_nonlinearity.adjust(scores)

    def _learn_classes(self, y: Any) -> None:
        self.classes_ = np.unique(_checked_labels(y))
        if len(self.classes_) < 2:
            got = f"one class only: {self.classes_.tolist()[0]!r}" if len(self.classes_) else "none"
            raise ValueError(f"y must have two classes or more; got {got}.")

    def _check_same_classes(self, classes: Any) -> None:
        if not np.array_equal(np.unique(_checked_labels(classes)), self.classes_):
            raise ValueError(
                f"classes must be those of the first call, {self.classes_.tolist()}; got "
                f"{np.asarray(classes).tolist()}."
            )

    def _encode(self, y: Any, name: str = "y") -> NDArray[np.int64]:
        y = _checked_labels(y)
        codes = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unknown = self.classes_[codes] != y
        if unknown.any():
            raise ValueError(
                f"{name} holds labels that are not among the classes {self.classes_.tolist()}: "
                f"{np.unique(y[unknown]).tolist()}."
            )
        return codes[:, None].astype(np.int64)

    def _layout(self) -> ColumnLayout:
        return ColumnLayout((len(self.classes_),))

    def _split(self, samples: Samples, seed: int) -> tuple[Samples, Samples]:
        codes = samples.codes[:, 0]
        counts = np.bincount(codes, minlength=len(self.classes_))
        if counts.min() < 2:
            rarest = self.classes_.tolist()[counts.argmin()]
            raise ValueError(
                "early_stopping=True splits validation data off and needs two samples of every "
                f"class; class {rarest!r} has {counts.min()}. Pass X_val and y_val, or use "
                "early_stopping=False."
            )
        n_validation = max(int(np.ceil(self.validation_fraction * len(codes))), len(counts))
        if len(codes) - n_validation < len(counts):
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(codes)} samples leaves "
                f"{len(codes) - n_validation} for training on {len(counts)} classes; lower it."
            )
        training, validation = train_test_split(
            np.arange(len(codes)), test_size=n_validation, stratify=codes, random_state=seed
        )
        return samples.take(training), samples.take(validation)

    def _class_weights(self, distributions: list[ClassDistribution]) -> list[NDArray] | None:
        if self.class_weight is None:
            return None
        return [class_weights(self.class_weight, self.classes_, distributions[0])]

    def _publish(self, distributions: list[ClassDistribution]) -> None:
        (distribution,) = distributions
        counts = distribution.counts
        self.class_counts_ = counts.astype(np.int64) if (counts % 1 == 0).all() else counts
        self.prior_ = distribution.prior
        self.omega_ = distribution.omega
        self.alpha_ = distribution.alpha(self.eta) if self.alpha is None else self.alpha
        # In units of the rarest class, so that the scale of sample weights has no say; Eq. 3 drops
        # single samples of a batch, which are nothing special in a training set.
        units = 2 * counts / counts[counts > 0].min()
        is_minority = minority_classes(torch.as_tensor(units), self.rho).numpy()
        self.minority_classes_ = self.classes_[is_minority]


def _checked_labels(y: Any) -> NDArray:
    """Check that `y` is a column of class labels."""
    y = column_or_1d(y, warn=True)
    if y.dtype == object:
        if len({isinstance(label, str) for label in y}) == 2:
            raise ValueError("The labels mix strings with other types; make all of them strings.")
        if len(y) and not isinstance(y[0], str):
            y = np.array(y.tolist())  # integers or booleans that were kept as objects
    check_classification_targets(y)
    return y
