"""Training with class rectification: its parameters, its loss and what it publishes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sk_crl._checks import check_boolean, check_choice, check_real
from sk_crl._distribution import ClassDistribution
from sk_crl._ensembling import Ensembling, Member
from sk_crl._minorities import training_minorities
from sk_crl._parameters import replace_kwargs
from sk_crl._training_parameters import is_auto
from sk_crl.loss import ClassRectificationLoss
from sk_crl.loss._inputs import check_alpha
from sk_crl.loss._loss import RECTIFY

ETA = 0.5  # of a single network
ETAS_OF_MEMBERS = (0.0, 0.4)  # of the two kinds in an ensemble


class Rectifying(Ensembling):
    """Training with a `ClassRectificationLoss`."""

    _logit_adjustments = ("auto", None, "loss", "predict")

    @replace_kwargs(by=Ensembling.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "auto",
        *,
        eta: float | Sequence[float] | str = "auto",
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
        super()._check_own()
        check_boolean("normalize", self.normalize)
        if not is_auto(self.eta):
            self._check_etas()
        check_choice("rectify", self.rectify, ("auto", *RECTIFY))
        if self.rectify == "adjusted" and self._correction != "loss":
            meaning = ", 'predict' for a single network" if is_auto(self.logit_adjustment) else ""
            raise ValueError(
                "rectify='adjusted' rectifies the scores that logit_adjustment='loss' adjusts; got "
                f"logit_adjustment={self.logit_adjustment!r}{meaning}. Set it to 'loss', or leave "
                "rectify out."
            )

    def _make_criterion(
        self,
        distributions: list[ClassDistribution],
        class_weight: list[NDArray] | None,
        alpha: list[float] | None = None,
    ) -> ClassRectificationLoss:
        return ClassRectificationLoss(
            [d.seen for d in distributions],
            eta=self._etas[0],
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

    def _check_etas(self) -> None:
        """Check the weight, or the weights, of class rectification per unit of imbalance."""
        is_several = np.ndim(self.eta) > 0
        if is_several and (self._n_members == 1 or not len(self.eta)):
            raise ValueError(
                "eta must be one number for a single network, and for an ensemble one or more; got "
                f"{self.eta!r}."
            )
        for eta in self.eta if is_several else [self.eta]:
            check_real("eta", eta, 0, math.inf, "[)")

    @property
    def _etas(self) -> Sequence[float]:
        """The weight of class rectification per unit of imbalance, of every kind of member."""
        if not is_auto(self.eta):
            return [self.eta] if isinstance(self.eta, Real) else self.eta
        return ETAS_OF_MEMBERS if self._n_members > 1 else [ETA]

    @property
    def _rectify(self) -> str:
        """Which probabilities are rectified."""
        if self.rectify != "auto":
            return self.rectify
        return "adjusted" if self._n_members > 1 and self._correction == "loss" else "unadjusted"

    def _kinds(self, distributions: list[ClassDistribution]) -> Sequence[float]:
        """List a kind for every weight; by `alpha`, or on balanced classes, all are the same."""
        is_same = self.alpha is not None or not any(d.omega for d in distributions)
        return self._etas[:1] if is_same else self._etas

    def _members_criterion(self, members: list[Member]) -> ClassRectificationLoss:
        if self.alpha is not None:
            check_alpha(self.alpha, self._targets.layout)
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
        alphas = np.array([self._alphas(first, eta) for eta in self._kinds(first)])
        if self._n_members > 1:
            alphas = alphas * self._variant_weight
        self.alpha_ = self._shown(alphas.sum(0).tolist())
        pairs = zip(self._targets.classes, distributions, strict=True)
        minorities = [classes[training_minorities(d, self.rho)] for classes, d in pairs]
        self.minority_classes_ = self._shown(minorities)

    def _alphas(self, distributions: list[ClassDistribution], eta: float) -> list[float]:
        """Find what class rectification weighs, for every target."""
        if self.alpha is None:
            return [distribution.alpha(eta) for distribution in distributions]
        return np.full(len(distributions), self.alpha, dtype=np.float64).tolist()
