"""Networks that train on over-, down- or otherwise sampled data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from sk_crl._classifier import CRLClassifier
from sk_crl._ensembling import Ensembling
from sk_crl._multi_output import MultiOutputCRLClassifier
from sk_crl._parameters import replace_kwargs
from sk_crl._samples import Samples
from sk_crl.baselines._sampling import (
    check_lost_classes,
    check_sampler,
    sample_one_target,
    sample_several_targets,
)


class _Resampling(Ensembling):
    """Sampling between the split of validation data and training."""

    sampler: Any

    def _find_reasons_for_single(self, has_validation: bool = False) -> list[str]:
        # Copies of a sample would stand in other folds than the sample itself.
        asked = super()._find_reasons_for_single(has_validation)
        return [*(name for name in asked if name != "logit_adjustment"), "sampler"]

    def _check_own(self) -> None:
        super()._check_own()
        if self.target_prior == "training":
            raise ValueError(
                f"{type(self).__name__} knows the class shares that its sampler makes, and not "
                "those before; got target_prior='training'. Leave target_prior out."
            )

    def _resampled(self, samples: Samples, seed: int) -> Samples:
        """Sample, without a look at validation data."""
        check_sampler(self.sampler)
        if samples.codes.shape[1] > 1:
            return sample_several_targets(samples, self.sampler, seed)
        (classes,), (title,) = self._targets.classes, self._targets.titles
        name = type(self).__name__
        sampled = sample_one_target(samples, self.sampler, classes, title, seed, name)
        check_lost_classes(samples, sampled, self.sampler, classes, title)
        return sampled


class ResampledClassifier(_Resampling, CRLClassifier):
    r"""Neural network trained on over-sampled, down-sampled or interpolated data, for one target.

    The network, its training and all parameters but `sampler` are those of `CRLClassifier`, so that
    nothing but the method differs when the two are compared. Two defaults do: ``alpha=0`` and
    ``logit_adjustment=None`` leave plain cross-entropy, since even classes have no minority to
    rectify and no prior to remove. Set either to combine it with sampling.

    Sampling is a part of `fit`: what early stopping validates on is split off before, and is never
    a copy of, nor interpolated from, what trains. (A pipeline of imbalanced-learn samples first.)

    Parameters
    ----------
    module : str, nn.Module class or callable, default="auto"
        The network, a single one, as in `CRLClassifier`.
    sampler : {"over", "down", "smote"} or sampler object, default="over"
        ``"over"`` replicates random rows of all classes but the largest until all are as large,
        ``"down"`` drops random rows of all but the smallest, and ``"smote"`` interpolates between
        neighbours. Or any sampler of imbalanced-learn, of which a copy is used; where its
        `random_state` is None, the seed comes from that of the estimator. A sampler that chooses
        rows does so by index: images and files are not copied. One that makes new rows is given
        features that are flattened, in float32. A sampler that asks for more neighbours than a
        class has gets fewer, and a single row is copied, which a warning says.
    alpha : float, default=0
        Weight of class rectification in [0, 1]; None takes it from `eta` and the imbalance that is
        left after sampling.
    logit_adjustment : {"predict", "loss", None}, default=None
        Where the prior is corrected for: that of the sampled data, which is what the network sees.
    **kwargs
        All other parameters of `CRLClassifier`.

    Attributes
    ----------
    class_counts_, prior_, omega_, minority_classes_ : ndarray or float
        Those of the sampled data, without validation data: of what the network was trained on. All
        other attributes are those of `CRLClassifier`.

    Raises
    ------
    ImportError
        Where imbalanced-learn is missing: ``pip install 'sk-crl[baselines]'``.
    ValueError
        For a sampler that is none, and for what it cannot do: a sampler that needs features where X
        is a `torch.utils.data.Dataset`, or uneven `sample_weight` where a sampler makes new rows
        and does not tell which old ones it keeps. For several `n_members`, since copies of a row
        would stand in the folds that members leave out. And where `CRLClassifier` raises it.

    See Also
    --------
    MultiOutputResampledClassifier : The same for several targets.
    sk_crl.CRLClassifier : The method that this one is compared to.

    Notes
    -----
    Rows are counted, whatever they weigh; chosen and replicated rows keep their weights, and new
    ones weigh what the rows of their class do on average. `partial_fit` samples the data of every
    call by themselves.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sk_crl.baselines import ResampledClassifier
    >>> X, y = make_classification(1000, weights=[0.95], flip_y=0, random_state=0)
    >>> classifier = ResampledClassifier(sampler="smote", random_state=0)
    >>> model = make_pipeline(StandardScaler(), classifier).fit(X, y)
    >>> model.predict(X[:3])
    array([0, 0, 0])
    >>> model[-1].class_counts_
    array([950, 950])
    """

    @replace_kwargs(by=CRLClassifier.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "auto",
        *,
        sampler: Any = "over",
        alpha: float | None = 0,
        logit_adjustment: str | None = None,
        **kwargs,
    ):
        self.sampler = sampler
        super().__init__(module, alpha=alpha, logit_adjustment=logit_adjustment, **kwargs)


class MultiOutputResampledClassifier(_Resampling, MultiOutputCRLClassifier):
    r"""Neural network trained on over- or down-sampled data, for several targets at once.

    The network, its training and all parameters but `sampler` are those of
    `MultiOutputCRLClassifier`, so that nothing but the method differs when the two are compared.
    Two defaults do: ``alpha=0`` and ``logit_adjustment=None`` leave plain cross-entropy, as
    sampling is to stand in for both. Set either to combine it with sampling.

    Rows are replicated, or dropped, until every target's classes are as even as they can be. A row
    has a class in every target, so the targets pull at each other and seldom become quite even:
    step by step, for the class that is furthest from an even share, the row is taken that most
    lowers the sum of the targets' squared coefficients of variation of class counts, a greedy form
    of ML-ROS and ML-RUS (Charte et al. 2015). It ends where no row lowers it, or at the size that
    sampling leads to for one target alone, the largest for ``"over"`` and the smallest for
    ``"down"``.

    Sampling is a part of `fit`: what early stopping validates on is split off before.

    Parameters
    ----------
    module : str, nn.Module class or callable, default="auto"
        The network, a single one, as in `MultiOutputCRLClassifier`.
    sampler : {"over", "down"}, default="over"
        Replicate or drop rows. Where y has a single column, all that `ResampledClassifier` takes.
    alpha : float or sequence of float, default=0
        Weight of class rectification in [0, 1], for all targets or for each; None takes it from
        `eta` and the imbalance that is left after sampling.
    logit_adjustment : {"predict", "loss", None}, default=None
        Where the prior is corrected for: that of the sampled data, which is what the network sees.
    **kwargs
        All other parameters of `MultiOutputCRLClassifier`.

    Attributes
    ----------
    class_counts_, prior_, omega_, minority_classes_ : list of ndarray or ndarray
        Those of the sampled data, without validation data: of what the network was trained on. All
        other attributes are those of `MultiOutputCRLClassifier`.

    Raises
    ------
    ImportError
        For a single target, where imbalanced-learn is missing: ``pip install
        'sk-crl[baselines]'``.
    ValueError
        For a sampler that is none, and for any but ``"over"`` and ``"down"`` with several targets.
        For several `n_members`, since copies of a row would stand in the folds that members leave
        out. And where `MultiOutputCRLClassifier` raises it.

    See Also
    --------
    ResampledClassifier : The same for one target.
    sk_crl.MultiOutputCRLClassifier : The method that this one is compared to.

    Notes
    -----
    Rows are counted, whatever they weigh, and keep their weights. A row counts for the targets that
    it has a label of. `partial_fit` samples the data of every call by themselves.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sk_crl.baselines import MultiOutputResampledClassifier
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> colour = np.where(X[:, 0] > 1.5, "red", "blue")
    >>> Y = pd.DataFrame({"colour": colour, "season": np.digitize(X[:, 1], [-1, 1])})
    >>> Y.loc[:20, "colour"] = None
    >>> model = MultiOutputResampledClassifier(random_state=0).fit(X, Y)
    >>> model.class_counts_
    [array([286, 286]), array([198, 198, 198])]
    >>> model.predict(X[2:4])
      colour  season
    0   blue       1
    1   blue       1
    """

    @replace_kwargs(by=MultiOutputCRLClassifier.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "auto",
        *,
        sampler: Any = "over",
        alpha: float | Sequence[float] | None = 0,
        logit_adjustment: str | None = None,
        **kwargs,
    ):
        self.sampler = sampler
        super().__init__(module, alpha=alpha, logit_adjustment=logit_adjustment, **kwargs)
