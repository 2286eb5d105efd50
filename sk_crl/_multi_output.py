"""The classifier for several targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from torch import nn
from torch.utils.data import Dataset

from sk_crl._base import BaseCRL
from sk_crl._checks import plain
from sk_crl._distribution import ClassDistribution
from sk_crl._labels import Labels, read_labels, read_single_target
from sk_crl._parameters import replace_kwargs
from sk_crl.metrics import balanced_accuracy_score


class MultiOutputCRLClassifier(ClassifierMixin, BaseCRL):
    r"""Neural network trained with the Class Rectification Loss, for several targets at once.

    One network with a branch for every target, one forward pass and one loss. Imbalance, minority
    classes, their rectification and the correction for the prior are those of each target (Dong,
    Gong and Zhu: *Imbalanced Deep Learning by Minority Class Incremental Rectification*).

    Labels may be missing in any cell: NaN, None, NA, or `missing_label`. Such a cell takes no part
    in anything, the rest of its row does.

    Parameters
    ----------
    module : str, nn.Module class or callable, default="mlp"
        The network: a name (``"mlp"``), a class, or any callable that builds an `nn.Module`. It is
        told `n_features`, `n_classes` (a tuple, one number for every target) and `input_shape` (the
        shape of one sample) where its signature asks for them, and the ``module__*`` parameters. It
        returns scores, of shape (n_samples, sum(n_classes)) or as a list of one tensor of shape
        (n_samples, n_classes) for every target, or a tuple of scores and the features before them,
        (n_samples, d), (n_samples, n_targets, d) or a list. `sk_crl.networks.Branches` puts a
        branch for every target on any trunk.
    eta : float, default=0.5
        Weight of class rectification per unit of imbalance: :math:`\alpha = \min(\eta\Omega, 1)`
        (Eq. 8).
    alpha : float or sequence of float, optional
        Weight of class rectification in [0, 1], instead of the one from `eta`, for all targets or
        for each; cross-entropy weighs ``1 - alpha``.
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
    class_weight : {None, "balanced", "exp"} or list, default=None
        Weight of every class in the cross-entropy: 1, inverse to its frequency, or the paper's
        ``exp(-share)``; or a list of one of these, or of a dict by label (1 for labels that are not
        named), for every target. ``"balanced"`` corrects for the prior as logit adjustment does:
        use one of them, with ``logit_adjustment=None``.
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
    precision : {"float32", "bfloat16"}, default="float32"
        What the network computes in, its scores too, in training and prediction; weights and loss
        stay in float32 (automatic mixed precision).
    compile : bool or str, default=False
        Whether PyTorch compiles the network, which pays where training takes minutes, or the name
        of a compiler (a backend of `torch.compile`).
    num_workers : int, default=0
        Processes that read a data set ahead; 0 reads each batch when it is due.
    random_state : int, RandomState, Generator or None, default=None
        Source of the initial weights, the batches' order, dropout and the validation split. Two
        fits with one integer are equal bit for bit on a CPU. No global generator is touched,
        whatever it is.
    verbose : bool, default=False
        Show a progress bar.
    missing_label : number or str, optional
        A label that stands for none, beside NaN, None and NA.
    **kwargs
        Parameters starting with ``module__`` and ``optimizer__``; the default network takes
        ``module__hidden_units=(100,)``, a width or one for every layer that the targets share,
        ``module__branch_units=16``, the width of every target's own layer (0 for none), and
        ``module__dropout=0.0``.

    Attributes
    ----------
    classes_ : list of ndarray of shape (n_classes,)
        The labels of every target, sorted.
    n_outputs_ : int
        Number of targets.
    target_names_in_ : ndarray of shape (n_outputs_,)
        Names of the targets, where y was a data frame.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had any.
    class_counts_ : list of ndarray of shape (n_classes,)
        Number of training samples of every class, or their total weight, for every target.
    prior_ : list of ndarray of shape (n_classes,)
        Their shares.
    omega_ : ndarray of shape (n_outputs_,)
        Imbalance of the training data (Eq. 8), in [0, 1).
    alpha_ : ndarray of shape (n_outputs_,)
        Weight that class rectification had.
    minority_classes_ : list of ndarray
        Labels of the classes that are minorities of the training data (Eq. 3), for every target.
    loss_curve_ : list of float
        Training loss of every epoch, the sum over the targets.
    validation_scores_ : list of float
        Monitored score of every epoch, the mean over the targets, higher is better; where there
        were validation data.
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
        For parameters outside their range and for data that cannot be learned from, a target
        without any label or with a single class among them. A fit that fails leaves the estimator
        as it was.
    FloatingPointError
        Where the training loss diverges.

    See Also
    --------
    CRLClassifier : The same for one target.
    sk_crl.metrics : Metrics for several targets with missing labels.
    sk_crl.model_selection : Stratified splits for several targets.

    Notes
    -----
    scikit-learn cannot split labels of mixed types, or with missing ones, by a number of folds:
    pass a splitter, such as ``cv=MultiOutputStratifiedKFold(5)``.

    Every target takes as much time and memory as the one with the most classes. A target of
    thousands of classes is better off in a model of its own.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sk_crl import MultiOutputCRLClassifier
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> colour = np.where(X[:, 0] > 1.5, "red", "blue")
    >>> Y = pd.DataFrame({"colour": colour, "season": np.digitize(X[:, 1], [-1, 1])})
    >>> Y.loc[:20, "colour"] = None
    >>> model = MultiOutputCRLClassifier(random_state=0).fit(X, Y)
    >>> model.predict(X[2:4])
      colour  season
    0   blue       1
    1   blue       1
    >>> model.omega_.round(2)
    array([0.48, 0.49])
    >>> [probabilities.shape for probabilities in model.predict_proba(X)]
    [(300, 2), (300, 3)]
    """

    @replace_kwargs(by=BaseCRL.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "mlp",
        *,
        missing_label: float | str | None = None,
        **kwargs,
    ):
        self.missing_label = missing_label
        super().__init__(module, **kwargs)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags

    def fit(
        self,
        X: ArrayLike | Dataset,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | Dataset | None = None,
        y_val: ArrayLike | None = None,
    ) -> MultiOutputCRLClassifier:
        """Train.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), or Dataset
            Training samples, in any shape that the module accepts. A `numpy.memmap` stays on disk,
            whatever its type, and is read a stretch of batches at a time, the next one while this
            one trains. A `torch.utils.data.Dataset` returns a sample, or a tuple of a sample and
            its label, for every index.
        y : array-like, data frame or sparse array of shape (n_samples, n_targets), optional
            Their labels, in every column of a type of its own, or a multilabel indicator. None
            reads those of a data set: its `targets` or, going through all of it once, what comes
            with its samples.
        sample_weight : array-like of shape (n_samples,), optional
            Weights in the cross-entropies and in the class counts. Class rectification ignores
            them, but a sample of weight 0 is as good as absent.
        X_val, y_val : array-like, optional
            Validation samples and labels, in any form that `X` and `y` have. Their scores are
            recorded, and are what early stopping watches.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For what cannot be learned from, and for parameters outside their range; nothing is
            changed then.
        FloatingPointError
            Where the training loss diverges.
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def partial_fit(
        self,
        X: ArrayLike | Dataset,
        y: ArrayLike | None = None,
        classes: list[ArrayLike] | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> MultiOutputCRLClassifier:
        """Train for one epoch on more data.

        Class counts, and with them prior and imbalance, add up over all calls.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...), or Dataset
            Training samples, as in `fit`.
        y : array-like, data frame or sparse array of shape (n_samples, n_targets)
            Their labels.
        classes : list of array-like of shape (n_classes,), optional
            All labels that will ever occur, for every target; required on the first call.
        sample_weight : array-like of shape (n_samples,), optional
            Weights, as in `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For what cannot be learned from, and for parameters outside their range; nothing is
            changed then.
        FloatingPointError
            Where the training loss diverges.
        """
        return self._partial_fit(X, y, classes, sample_weight)

    def predict_proba(self, X: ArrayLike | Dataset) -> list[NDArray[np.float32]]:
        """Predict the probability of every class of every target.

        With logit adjustment these are probabilities under a uniform prior (for ``tau=1``).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        list of ndarray of shape (n_samples, n_classes)
            One array for every target, columns in the order of its `classes_`.

        Raises
        ------
        FloatingPointError
            Where the network's scores are infinite or NaN.
        """
        return self._probabilities(X)

    def predict(self, X: ArrayLike | Dataset) -> Any:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray, sparse array or data frame of shape (n_samples, n_targets)
            The most probable labels, in the container and with the column names that `fit` was
            given. A pandas frame has the index of `X` where `X` is one, too: in a pipeline, where
            the step before passes frames on (``set_output(transform="pandas")``).

        Raises
        ------
        FloatingPointError
            Where the network's scores are infinite or NaN.
        """
        codes = self._codes(X)
        return self._targets.decode(codes, X.index if hasattr(X, "iloc") else None)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the mean of the targets' balanced accuracies (Eq. 17-18).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.
        y : array-like, data frame or sparse array of shape (n_samples, n_targets)
            True labels; missing ones take no part.
        sample_weight : array-like of shape (n_samples,), optional
            Weights.

        Returns
        -------
        float
            The mean over targets of the mean of the per-class sensitivities.
        """
        return balanced_accuracy_score(
            y, self.predict(X), sample_weight=sample_weight, missing_label=self.missing_label
        )

    def _read_labels(self, y: Any, name: str = "y") -> Labels:
        labels = read_labels(y, self.missing_label, name)
        if labels.template is None:
            raise ValueError(
                f"{name} must have shape (n_samples, n_targets), a column for every target; got "
                f"shape ({len(labels)},). Use CRLClassifier for one target, or reshape it to "
                "(n_samples, 1)."
            )
        return labels

    def _read_classes(self, classes: Any) -> list[Labels]:
        if not isinstance(classes, list | tuple | np.ndarray):
            raise ValueError(
                "classes must be a list of the classes of every target; got "
                f"{type(classes).__name__}."
            )
        if len(classes) and all(np.ndim(known) == 0 for known in classes):
            classes = [classes]  # those of a single target
        for i, known in enumerate(classes):
            if np.ndim(known) != 1:
                raise ValueError(f"classes[{i}] must be a list of labels; got {plain(known)}.")
        return [
            read_single_target(known, f"classes[{i}]", self.missing_label)
            for i, known in enumerate(classes)
        ]

    def _class_weight_of_targets(self) -> list[str | dict | None]:
        n_targets = len(self._targets.classes)
        for_one = n_targets == 1 and isinstance(self.class_weight, dict)
        if self.class_weight is None or isinstance(self.class_weight, str) or for_one:
            return [self.class_weight] * n_targets
        if not isinstance(self.class_weight, list | tuple) or len(self.class_weight) != n_targets:
            raise ValueError(
                f"class_weight must be None, 'balanced', 'exp' or a list of {n_targets}, one for "
                f"every target; got {self.class_weight!r}."
            )
        return list(self.class_weight)

    def _n_classes_told(self) -> tuple[int, ...]:
        return self._targets.layout.n_classes

    def _publish(self, distributions: list[ClassDistribution]) -> None:
        self.classes_ = [classes.copy() for classes in self._targets.classes]
        self._publish_targets()
        self.class_counts_ = [d.plain_counts for d in distributions]
        self.prior_ = [d.prior for d in distributions]
        self.omega_ = np.array([d.omega for d in distributions])
        self.alpha_ = self._alphas(distributions)
        self.minority_classes_ = self._minority_classes(distributions)
