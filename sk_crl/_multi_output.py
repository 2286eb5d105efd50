"""The classifier for several targets."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from sk_crl._parameters import replace_kwargs
from sk_crl._rectifying import Rectifying
from sk_crl._several_targets import SeveralTargets


class MultiOutputCRLClassifier(Rectifying, SeveralTargets):
    r"""Neural networks trained with the Class Rectification Loss, for several targets at once.

    One network for all targets, or an ensemble, one forward pass and one loss. Imbalance, minority
    classes, their rectification and the correction for the prior are those of each target (Dong,
    Gong and Zhu: *Imbalanced Deep Learning by Minority Class Incremental Rectification*).

    With nothing set, tables are taken as they are, as by `CRLClassifier`; a single network,
    ``n_members=1``, has a branch for every target and wants samples on one scale.

    Labels may be missing in any cell: NaN, None, NA, or `missing_label`. Such a cell takes no part
    in anything, the rest of its row does.

    Parameters
    ----------
    module : str, nn.Module class or callable, default="auto"
        The network: the name of one in `sk_crl.networks` (``"table"``, ``"mlp"``, or for images
        ``"deepid2"`` and others), a class, or any callable that builds an `nn.Module`. It is told
        `n_features`, `n_classes` (a tuple, one number for every target) and `input_shape` (the
        shape of one sample) where its signature asks for them, and the ``module__*`` parameters. It
        returns scores, of shape (n_samples, sum(n_classes)) or as a list of one tensor of shape
        (n_samples, n_classes) for every target, or a tuple of scores and the features before them,
        (n_samples, d), (n_samples, n_targets, d) or a list. `sk_crl.networks.Branches` puts a
        branch for every target on any trunk. ``"auto"`` is ``"table"`` in an ensemble and ``"mlp"``
        in a single network.
    eta : float, sequence of float or "auto", default="auto"
        Weight of class rectification per unit of imbalance: :math:`\alpha = \min(\eta\Omega, 1)`
        (Eq. 8). An ensemble may have several: for every fold it trains a network of each, and for
        every target the kind of network, or all kinds together, counts that has the lowest
        class-balanced log-loss on what was left out. ``"auto"`` is 0.5 for a single network and
        (0, 0.4), without and with rectification, for an ensemble.
    alpha : float or sequence of float, optional
        Weight of class rectification in [0, 1], instead of the one from `eta`, for all targets or
        for each; cross-entropy weighs ``1 - alpha``.
    alpha_decay : {None, "cosine"}, default=None
        How that weight falls over the epochs: not at all, or as the loss scheduler of Dynamic
        Curriculum Learning (Wang et al., ICCV 2019), by a factor :math:`(\cos(\pi l / L) + 1) / 2`
        in epoch l of ``L = max_epochs``, from 0 on; cross-entropy weighs the rest. (The paper's
        own stops at a share of the epochs, with a small constant from there on.) Epochs count on
        where ``warm_start`` or `partial_fit` go on, and after `max_epochs` the weight is 0.
    kappa : int or None, default=25
        Hard positives and hard negatives for each anchor; None compares with the whole batch.
    rho : float, default=0.5
        Share of a batch that its minority classes hold together at most (Eq. 3), in (0, 1].
    level : {"class", "instance"}, default="class"
        Compare predicted probabilities or features. Features of a network that returns scores
        alone are the input of its last linear layer; those in an ensemble must return features.
    comparison : {"relative", "absolute", "distribution"}, default="relative"
        Triplet ranking (Eq. 9), contrastive (Eq. 13) or histogram loss (Eq. 14-16).
    margin : float, optional
        Margin of the relative and absolute comparison; the paper's by default, see
        `sk_crl.loss.class_rectification`.
    scope : {"minority", "all"}, default="minority"
        Classes whose samples are anchors.
    anchors : {"all", "easy"}, default="all"
        Samples of these classes that are anchors: all, or only the easy ones, those `kappa` of a
        batch with the highest predicted probability of their class, at most half of the class
        (Wang et al.: *Dynamic Curriculum Learning for Imbalanced Data Classification*, 2019).
    normalize : bool, default=True
        Scale features to unit length for ``level="instance"``.
    bins : int, default=100
        Nodes of the histograms of ``comparison="distribution"``.
    rectify : {"auto", "unadjusted", "adjusted"}, default="auto"
        With ``logit_adjustment="loss"``: rectify the probabilities of the scores themselves, which
        predict, or of the scores that cross-entropy sees. ``"auto"`` does the second in ensembles
        and the first in a single network.
    n_members : int, optional
        Number of folds, and of networks of each kind; every weight in `eta`, two by default, makes
        a kind. Every network is trained on all folds but one, by which it is stopped early, and
        all are averaged in prediction; 1 trains one network on all samples for `max_epochs`.
        By default there are 8 for a table, which makes 16 networks, and 1 where the samples are
        something else or what is set speaks of one network: `module`, `logit_adjustment`,
        `early_stopping`, `warm_start`, `batch_sampler`, `compile`, `precision`, validation data or
        `partial_fit`. Behind a sampler that interpolates, as SMOTE in a pipeline, set 1: what is
        made of a row would stand in other folds than the row itself, and networks would be stopped
        and chosen by what they have all but seen.
    target_prior : {"uniform", "training"}, default="uniform"
        The class shares that predictions and probabilities are made for: equal ones, which maximise
        the balanced accuracy, or those of the training data, which maximise the plain one. It can
        be set after `fit`. With ``logit_adjustment=None`` nothing is corrected for: predictions are
        for the class shares that the network is shown, those of the data unless class weights,
        samplers or batches change them, which ``"uniform"`` leaves as they are. ``"training"`` is
        refused there.
    categorical_features : "from_dtype", array-like of {bool, int, str} or None, \
            default="from_dtype"
        With ``module="table"``: which columns hold categories, as a mask, places, or names; by
        default those of data frames whose type is one of categories, strings or booleans. A
        category of a single training row counts as unknown.
    logit_adjustment : {"auto", "predict", "loss", None}, default="auto"
        Where the training prior is corrected for: when scores decide, in the cross-entropy, or
        nowhere. With either correction, ``tau=1`` and no class weights probabilities are those
        under a uniform prior. ``"auto"`` is ``"loss"`` in ensembles, whose members stop before they
        have learned the prior, and ``"predict"`` in a single network.
    tau : float, default=1.0
        Strength of the correction; 1 corrects for the whole prior.
    class_weight : {None, "balanced", "exp"} or list, default=None
        Weight of every class in the cross-entropy: 1, inverse to its frequency, or the paper's
        ``exp(-share)``; or a list of one of these, or of a dict by label (1 for labels that are not
        named), for every target. ``"balanced"`` corrects for the prior as logit adjustment does:
        use one of them, with ``logit_adjustment=None``.
    max_epochs : int or "auto", default="auto"
        Passes over the training data at most; 300 for ensembles, which stop early, and 100 for a
        single network. A few hundred samples make few steps: raise it there. Logit adjustment at
        prediction needs a network that has learned its training data.
    lr : float, default=3e-3
        Learning rate.
    batch_size : int or "auto", default="auto"
        Samples in a batch: 128 for a single network, and 16 to 256 of every member, a power of 2
        that makes about six batches of its samples. A single sample left over at the end of an
        epoch sits it out.
    batch_sampler : {None, "stratified", "balanced", "dynamic"} or object, default=None
        What batches are made of: all samples, shuffled; every sample once, in batches with the
        class shares of the data; draws with equal class shares; or draws from the shares of the
        data to equal ones in the course of training. Or an object of `sk_crl.training`, such as
        ``AtLeastPerClass(m=2)``, or of your own. Logit adjustment and `eta` go by the class shares
        of the batches, which are what the network learns.
    optimizer : str or torch.optim.Optimizer class, default="adam"
        The optimizer; ``optimizer__*`` parameters are passed to it.
    early_stopping : bool, default=False
        Stop when the monitored score of validation data has not improved for `patience` epochs,
        and return to the best epoch. Validation data are split off the training data, stratified,
        unless `fit` is given some.
    validation_fraction : float, default=0.1
        Share of the training data to split off, in (0, 1); at least one sample for every class.
    patience : int, default=10
        Epochs without improvement after which training stops, that of every member by itself.
    max_time : float, optional
        Seconds after which training ends, with the epoch that is under way.
    monitor : {"balanced_log_loss", "balanced_accuracy"}, default="balanced_log_loss"
        What is monitored on validation data. Every class counts alike, or as much as a dict
        `class_weight` says; the named class weights are remedies, and do not count here.
    warm_start : bool, default=False
        Go on from the last fit instead of starting afresh.
    callbacks : list of skorch callbacks, optional
        Each fit uses copies of them. One that raises KeyboardInterrupt in `on_epoch_end`, as
        skorch's early stopping does, ends training with that epoch.
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
        fits with one integer are equal bit for bit on a CPU, in one environment. No global
        generator is touched, whatever it is.
    verbose : bool, default=False
        Show a progress bar.
    missing_label : number or str, optional
        A label that stands for none, beside NaN, None and NA.
    **kwargs
        Parameters starting with ``module__`` and ``optimizer__``; `sk_crl.networks` has those of
        each network. Those of ``"mlp"`` are
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
        Weight that class rectification had, in the first epoch where it changes; the mean over
        the networks of an ensemble that count.
    batch_prior_ : list of ndarray of shape (n_classes,)
        Class shares of the batches, which logit adjustment goes by: `prior_` unless a batch sampler
        changes them, and then those of the epoch that the network is from.
    minority_classes_ : list of ndarray
        Labels of the classes that are minorities of the training data (Eq. 3), for every target.
    loss_curve_ : list of float
        Training loss of every epoch, the sum over the targets; the mean over the members of an
        ensemble.
    validation_scores_ : list of float
        Monitored score of every epoch, the mean over the targets, higher is better; where there
        were validation data.
    best_validation_score_ : float
        The highest of them; that of the predictions which an ensemble makes of what its members
        have left out.
    n_iter_ : int
        Epochs trained.
    n_networks_ : int
        Number of networks trained, of all kinds together; 1 for a single one.
    module_ : torch.nn.Module
        The trained network.
    net_ : skorch.NeuralNetClassifier
        The skorch net around it, with its history.

    Raises
    ------
    ValueError
        For parameters outside their range and for data that cannot be learned from, a target
        without any label or with a single class among them. A fit that fails, or is
        interrupted by Ctrl-C, leaves the estimator as it was.
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
    >>> model = MultiOutputCRLClassifier(n_members=3, random_state=0).fit(X, Y)
    >>> model.predict(X[2:4])
      colour  season
    0   blue       1
    1   blue       1
    >>> model.omega_.round(2)
    array([0.48, 0.49])
    >>> [probabilities.shape for probabilities in model.predict_proba(X)]
    [(300, 2), (300, 3)]

    A single network under the paper's own loss:

    >>> single = MultiOutputCRLClassifier(n_members=1, logit_adjustment=None, random_state=0)
    >>> single.fit(X, Y).predict(X[2:4])
      colour  season
    0   blue       1
    1   blue       1
    """

    @replace_kwargs(by=Rectifying.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "auto",
        *,
        missing_label: float | str | None = None,
        **kwargs,
    ):
        super().__init__(module, missing_label=missing_label, **kwargs)
