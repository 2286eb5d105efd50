"""Training with class rectification: its parameters, its loss and what it publishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sk_crl._base import NetworkClassifier
from sk_crl._checks import check_boolean
from sk_crl._distribution import ClassDistribution
from sk_crl._minorities import training_minorities
from sk_crl._parameters import replace_kwargs
from sk_crl.loss import ClassRectificationLoss


class Rectifying(NetworkClassifier):
    """Training with a `ClassRectificationLoss`."""

    _logit_adjustments = (None, "loss", "predict")

    @replace_kwargs(by=NetworkClassifier.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "mlp",
        *,
        eta: float = 0.5,
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
        rectify: str = "unadjusted",
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
        if self.rectify == "adjusted" and self.logit_adjustment != "loss":
            raise ValueError(
                "rectify='adjusted' rectifies the scores that logit_adjustment='loss' adjusts; got "
                f"logit_adjustment={self.logit_adjustment!r}."
            )

    def _make_criterion(
        self, distributions: list[ClassDistribution], class_weight: list[NDArray] | None
    ) -> ClassRectificationLoss:
        return ClassRectificationLoss(
            [d.seen for d in distributions],
            eta=self.eta,
            alpha=self.alpha,
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
            tau=self.tau if self.logit_adjustment == "loss" else 0.0,
            rectify=self.rectify,
        )

    def _publish(
        self,
        distributions: list[ClassDistribution],
        first: list[ClassDistribution],
        last: list[ClassDistribution],
    ) -> None:
        super()._publish(distributions, first, last)
        self.alpha_ = self._shown(self._alphas(first))
        pairs = zip(self._targets.classes, distributions, strict=True)
        minorities = [classes[training_minorities(d, self.rho)] for classes, d in pairs]
        self.minority_classes_ = self._shown(minorities)

    def _alphas(self, distributions: list[ClassDistribution]) -> list[float]:
        """Find what class rectification weighs, for every target."""
        if self.alpha is None:
            return [distribution.alpha(self.eta) for distribution in distributions]
        return np.full(len(distributions), self.alpha, dtype=np.float64).tolist()
