"""Training with class rectification: its parameters, its loss and what it publishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sk_crl._checks import check_boolean
from sk_crl._distribution import ClassDistribution
from sk_crl._ensembling import Ensembling, Member
from sk_crl._minorities import training_minorities
from sk_crl._parameters import replace_kwargs
from sk_crl._training_parameters import is_auto
from sk_crl.loss import ClassRectificationLoss

ETA = 0.5  # of a single network
ETA_OF_MEMBERS = 0.4  # of the members that are rectified at all


class Rectifying(Ensembling):
    """Training with a `ClassRectificationLoss`."""

    _logit_adjustments = ("auto", None, "loss", "predict")

    @replace_kwargs(by=Ensembling.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "auto",
        *,
        eta: float | str = "auto",
        alpha: float | Sequence[float] | None = None,
        alpha_decay: str | None = None,
        kappa: int | None = 25,
        rho: float = 0.5,
        level: str = "class",
        comparison: str = "relative",
        margin: float | None = None,
        scope: str = "minority",
        anchors: str = "all",
        normalize: bool = True,
        bins: int = 100,
        rectify: str = "auto",
        **kwargs,
    ):
        self.eta = eta
        self.alpha = alpha
        self.alpha_decay = alpha_decay
        self.kappa = kappa
        self.rho = rho
        self.level = level
        self.comparison = comparison
        self.margin = margin
        self.scope = scope
        self.anchors = anchors
        self.normalize = normalize
        self.bins = bins
        self.rectify = rectify
        super().__init__(module, **kwargs)

    def _check_own(self) -> None:
        check_boolean("normalize", self.normalize)
        if isinstance(self.eta, str) and not is_auto(self.eta):
            raise ValueError(f"eta must be a number of at least 0, or 'auto'; got {self.eta!r}.")
        if self.rectify == "adjusted" and self._correction != "loss":
            raise ValueError(
                "rectify='adjusted' rectifies the scores that logit_adjustment='loss' adjusts; got "
                f"logit_adjustment={self.logit_adjustment!r}."
            )

    def _make_criterion(
        self,
        distributions: list[ClassDistribution],
        class_weight: list[NDArray] | None,
        alpha: list[float] | None = None,
    ) -> ClassRectificationLoss:
        return ClassRectificationLoss(
            [d.seen for d in distributions],
            eta=self._eta,
            alpha=self.alpha if alpha is None else alpha,
            alpha_decay=self.alpha_decay,
            kappa=self.kappa,
            rho=self.rho,
            level=self.level,
            comparison=self.comparison,
            margin=self.margin,
            scope=self.scope,
            anchors=self.anchors,
            normalize=self.normalize,
            bins=self.bins,
            class_weight=class_weight,
            tau=self.tau if self._correction == "loss" else 0.0,
            rectify=self._rectify,
        )

    @property
    def _eta(self) -> float:
        """The weight of class rectification per unit of imbalance."""
        if not is_auto(self.eta):
            return self.eta
        return ETA_OF_MEMBERS if self._n_members > 1 else ETA

    @property
    def _rectify(self) -> str:
        """Which probabilities are rectified."""
        if self.rectify != "auto":
            return self.rectify
        return "adjusted" if self._n_members > 1 and self._correction == "loss" else "unadjusted"

    def _etas(self, distributions: list[ClassDistribution]) -> list[float]:
        """Without a weight given there are members without rectification, and members with it."""
        is_open = is_auto(self.eta) and self.alpha is None
        return [0.0, self._eta] if is_open and any(d.omega for d in distributions) else [self._eta]

    def _members_criterion(self, members: list[Member]) -> ClassRectificationLoss:
        # One member's loss raises what is wrong with eta and alpha, as a single network's does.
        self._make_criterion(members[0].distributions, None)
        flat = [d for member in members for d in member.distributions]
        alphas = [a for m in members for a in self._alphas(m.distributions, m.eta)]
        return self._make_criterion(flat, self._weights_of_members(members), alphas)

    def _publish(
        self,
        distributions: list[ClassDistribution],
        first: list[ClassDistribution],
        last: list[ClassDistribution],
    ) -> None:
        super()._publish(distributions, first, last)
        alphas = np.array(self._alphas(first, self._eta))
        if self._n_members > 1 and len(self._variant_weight) > 1:
            alphas = alphas * self._variant_weight[1]
        self.alpha_ = self._shown(alphas.tolist())
        pairs = zip(self._targets.classes, distributions, strict=True)
        minorities = [classes[training_minorities(d, self.rho)] for classes, d in pairs]
        self.minority_classes_ = self._shown(minorities)

    def _alphas(self, distributions: list[ClassDistribution], eta: float) -> list[float]:
        """Find what class rectification weighs, for every target."""
        if self.alpha is None:
            return [distribution.alpha(eta) for distribution in distributions]
        return np.full(len(distributions), self.alpha, dtype=np.float64).tolist()
