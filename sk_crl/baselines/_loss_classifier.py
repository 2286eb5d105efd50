"""Networks that train under another loss."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray
from torch import nn

from sk_crl._distribution import ClassDistribution
from sk_crl._one_target import OneTarget
from sk_crl._parameters import replace_kwargs
from sk_crl._several_targets import SeveralTargets
from sk_crl._taking_tables import TakingTables
from sk_crl.baselines._build_loss import CORRECTING, build_loss, loss_settings
from sk_crl.loss._of_scores import LossOfScores


class _OtherLoss(TakingTables):
    """Training under a loss of scores and labels."""

    _prefixes = (*TakingTables._prefixes, "loss__")
    loss: Any

    def _all_names(self) -> list[str]:
        return [*super()._all_names(), *(f"loss__{name}" for name in loss_settings(self.loss))]

    def _check_own(self) -> None:
        if not (isinstance(self.loss, str) and self.loss in CORRECTING):
            return
        for name in ("logit_adjustment", "class_weight"):
            value = getattr(self, name)
            of_targets = value if isinstance(value, list | tuple) else [value]
            if any(isinstance(v, str) for v in of_targets):
                warnings.warn(
                    f"loss={self.loss!r} and {name}={value!r} both correct for the class prior, so "
                    f"that rare classes count twice. Use one of them: set {name}=None, or another "
                    "loss.",
                    stacklevel=4,
                )

    def _make_criterion(
        self, distributions: list[ClassDistribution], class_weight: list[NDArray] | None
    ) -> LossOfScores:
        build = partial(build_loss, self.loss, settings=self._prefixed("loss__"))
        counts = [d.seen for d in distributions]
        criterion = LossOfScores(build, counts, self._targets.layout, class_weight)
        if not isinstance(self.loss, str):
            criterion.advice = (
                f"Check that your loss, {type(criterion.loss).__name__}, is finite whatever the "
                "scores, and so is its gradient, for instance where a probability is 0 or 1. "
            )
        return criterion


class LossClassifier(_OtherLoss, OneTarget):
    r"""Neural network trained under another loss for imbalanced classes, for one target.

    The network, its training and all parameters but those of the loss are those of `CRLClassifier`,
    so that nothing but the loss differs when the two are compared. With the probability
    :math:`p_y` of a sample's class :math:`y`, its score :math:`z_y` and the number :math:`n_y` of
    training samples of that class, a sample's loss is

    - ``"focal"``: :math:`-(1 - p_y)^\gamma \log p_y`, which turns to samples that are hard,
      whatever their class (Lin et al.: *Focal loss for dense object detection*, 2017).
      `class_weight` is its :math:`\alpha`.
    - ``"class_balanced"``: :math:`-w_y \log p_y` with :math:`w_y \propto (1 - \beta) / (1 -
      \beta^{n_y})`, the inverse of an effective number of samples (Cui et al.: *Class-balanced loss
      based on effective number of samples*, 2019). 0 weighs all alike, and near 1 weights are
      inverse to the class counts.
    - ``"ldam"``: cross-entropy of scores among which that of the sample's class is lowered by a
      margin :math:`s \Delta_y`, :math:`\Delta_y \propto n_y^{-1/4}`; late epochs re-weigh the
      classes as ``"class_balanced"`` does (Cao et al.: *Learning imbalanced datasets with
      label-distribution-aware margin loss*, 2019, with deferred re-weighting).
    - ``"balanced_softmax"``: cross-entropy of :math:`z + \log n` (Ren et al.: *Balanced
      meta-softmax for long-tailed visual recognition*, 2020), that is, logit adjustment in the
      loss.

    The loss of a batch is the weighted mean of its samples' losses. It weighs by `sample_weight`,
    `class_weight` and the loss's own weights of classes, whose scale so has no effect.

    Parameters
    ----------
    module : str, nn.Module class or callable, default="mlp"
        The network, as in `CRLClassifier`. With ``"table"``, tables are taken as they are.
    loss : {"focal", "class_balanced", "ldam", "balanced_softmax"}, nn.Module class or callable, \
            default="focal"
        The loss: a name, or what builds one. Told `class_counts`, a list of one array of shape
        (n_classes,), where its signature asks for it, and the ``loss__*`` parameters, it returns an
        `nn.Module` without parameters to train. That is called with `scores`, (n_samples,
        n_classes), `codes` and `weight`, both (n_samples, 1), and returns a scalar. Codes are
        places in `classes_`, weights those of sample times class. A method ``begin_epoch(epoch,
        n_epochs)``, if it has one, is called before every epoch with the number of epochs so far
        and with `max_epochs`. Class counts are those that batches show: where a
        `batch_sampler` changes them from one epoch to the next, the loss is built anew.
    logit_adjustment : {"predict", None}, default=None
        Whether the training prior is removed from the scores when they decide. It suits the focal
        loss and a loss of your own; the three others correct for the prior, which then counts
        twice, and a warning says so.
    **kwargs
        Parameters starting with ``loss__``: of ``"focal"`` ``loss__gamma=2.0``; of
        ``"class_balanced"`` ``loss__beta=0.999``; of ``"ldam"`` ``loss__max_margin=0.5``, the
        margin of the rarest class, ``loss__scale=30.0``, the unit of margins,
        ``loss__deferred=0.8``, the share of `max_epochs` before classes are re-weighed (1: never),
        and ``loss__beta=0.9999``. And all parameters of `CRLClassifier` but those of class
        rectification: `tau`, `class_weight`, those of training, and those starting with
        ``module__`` and ``optimizer__``.

    Attributes
    ----------
    classes_, class_counts_, prior_, omega_ : ndarray or float
        The classes, as in `CRLClassifier`, and so are all attributes of training. There is no
        `alpha_` and there are no `minority_classes_`.

    Raises
    ------
    ValueError
        For an unknown loss, settings that it does not have or outside their range, a loss that has
        parameters to train or that returns no scalar. And where `CRLClassifier` raises it.
    TypeError
        For a loss that is nothing that builds an `nn.Module`.

    See Also
    --------
    MultiOutputLossClassifier : The same for several targets.
    sk_crl.CRLClassifier : The method that this one is compared to.

    Notes
    -----
    LDAM's authors train a network whose scores are cosines, of a feature and a class's weights,
    times :math:`s = 30`. Here the network is the one that all methods share, whose scores have no
    bound. Margins are the authors', :math:`s \Delta_y` in the unit of scores; ``loss__scale=1``
    makes them as small as :math:`\Delta_y`. For the authors' own form pass a `module` whose scores
    are 30 cosines.

    Schedules go by the epochs that a network has been trained for in all, against `max_epochs`:
    training that goes on, by `warm_start` or `partial_fit`, does not start them anew, and beyond
    `max_epochs` stays as they end. Early stopping may come before the re-weighting.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sk_crl.baselines import LossClassifier
    >>> X, y = make_classification(1000, weights=[0.95], flip_y=0, random_state=0)
    >>> classifier = LossClassifier(loss="class_balanced", loss__beta=0.99, random_state=0)
    >>> model = make_pipeline(StandardScaler(), classifier).fit(X, y)
    >>> model.predict(X[:3])
    array([0, 0, 0])

    A loss of your own, the generalized cross-entropy:

    >>> from torch import nn
    >>> class GeneralizedCrossEntropy(nn.Module):
    ...     def __init__(self, q=0.7):
    ...         super().__init__()
    ...         self.q = q
    ...
    ...     def forward(self, scores, codes, weight):
    ...         p = scores.softmax(1).gather(1, codes)
    ...         return (weight * (1 - p**self.q) / self.q).sum() / weight.sum()
    >>> classifier = LossClassifier(loss=GeneralizedCrossEntropy, loss__q=0.5, random_state=0)
    >>> classifier.fit(X, y).predict(X[:3])
    array([0, 0, 0])
    """

    @replace_kwargs(by=TakingTables.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "mlp",
        *,
        loss: str | Callable[..., nn.Module] = "focal",
        logit_adjustment: str | None = None,
        **kwargs,
    ):
        self.loss = loss
        super().__init__(module, logit_adjustment=logit_adjustment, **kwargs)


class MultiOutputLossClassifier(_OtherLoss, SeveralTargets):
    r"""Neural network trained under another loss for imbalanced classes, for several targets.

    The network, its training and all parameters but those of the loss are those of
    `MultiOutputCRLClassifier`, so that nothing but the loss differs when the two are compared. The
    losses are those of `LossClassifier`: for every target the weighted mean over the samples that
    have a label of it, with its own class counts, summed over targets.

    Parameters
    ----------
    module : str, nn.Module class or callable, default="mlp"
        The network, as in `MultiOutputCRLClassifier`. With ``"table"``, tables are taken as they
        are.
    loss : {"focal", "class_balanced", "ldam", "balanced_softmax"}, nn.Module class or callable, \
            default="focal"
        The loss: a name, or what builds one. Told `class_counts`, a list of one array of shape
        (n_classes,) for every target, where its signature asks for it, and the ``loss__*``
        parameters, it returns an `nn.Module` without parameters to train. That is called with
        `scores`, (n_samples, sum(n_classes)), the classes of all targets side by side, `codes` and
        `weight`, both (n_samples, n_targets), and returns a scalar. Codes are places in a target's
        `classes_`, weights those of sample times class; where a label is missing they are -1 and 0.
        A method ``begin_epoch(epoch, n_epochs)``, if it has one, is called before every epoch with
        the number of epochs so far and with `max_epochs`. Class counts are those that batches show:
        where a `batch_sampler` changes them from one epoch to the next, the loss is built anew.
    logit_adjustment : {"predict", None}, default=None
        Whether the training prior is removed from the scores when they decide, as in
        `LossClassifier`.
    **kwargs
        Parameters starting with ``loss__``, as in `LossClassifier`, and all parameters of
        `MultiOutputCRLClassifier` but those of class rectification.

    Attributes
    ----------
    classes_, class_counts_, prior_, omega_ : list of ndarray or ndarray
        The classes of every target, as in `MultiOutputCRLClassifier`, and so are all attributes of
        training. There is no `alpha_` and there are no `minority_classes_`.

    Raises
    ------
    ValueError
        For an unknown loss, settings that it does not have or outside their range, a loss that has
        parameters to train or that returns no scalar. And where `MultiOutputCRLClassifier` raises
        it.
    TypeError
        For a loss that is nothing that builds an `nn.Module`.

    See Also
    --------
    LossClassifier : The same for one target, with more about the losses.
    sk_crl.MultiOutputCRLClassifier : The method that this one is compared to.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sk_crl.baselines import MultiOutputLossClassifier
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> colour = np.where(X[:, 0] > 1.5, "red", "blue")
    >>> Y = pd.DataFrame({"colour": colour, "season": np.digitize(X[:, 1], [-1, 1])})
    >>> Y.loc[:20, "colour"] = None
    >>> model = MultiOutputLossClassifier(loss="ldam", random_state=0).fit(X, Y)
    >>> model.predict(X[2:4])
      colour  season
    0   blue       1
    1   blue       1
    """

    @replace_kwargs(by=TakingTables.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "mlp",
        *,
        loss: str | Callable[..., nn.Module] = "focal",
        logit_adjustment: str | None = None,
        missing_label: float | str | None = None,
        **kwargs,
    ):
        self.loss = loss
        super().__init__(
            module, logit_adjustment=logit_adjustment, missing_label=missing_label, **kwargs
        )
