"""What class counts settle of the loss: imbalance, weights of rectification, adjustment (Eq. 8)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sk_crl._checks import check_choice, check_real
from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout
from sk_crl.loss._criterion import Criterion
from sk_crl.loss._inputs import check_alpha, per_target

ALPHA_DECAYS = (None, "cosine")


class CountedCriterion(Criterion):
    """Base of the class rectification loss: what it knows of class counts and epochs.

    Parameters
    ----------
    class_counts, eta, alpha, alpha_decay, tau
        As in `ClassRectificationLoss`.
    """

    omega: Tensor
    _alpha: Tensor
    _undecayed: Tensor
    _has_given_alpha = False
    _adjustment: Tensor

    def __init__(
        self,
        class_counts: Sequence[float] | Sequence[Sequence[float]],
        eta: float,
        alpha: float | Sequence[float] | None,
        alpha_decay: str | None,
        tau: float,
    ):
        super().__init__()
        check_real("eta", eta, 0, math.inf, "[)")
        check_real("tau", tau, 0, math.inf, "[)")
        check_choice("alpha_decay", alpha_decay, ALPHA_DECAYS)
        distributions = _distributions(class_counts)
        self.layout = ColumnLayout(tuple(len(d.counts) for d in distributions))
        self.eta = eta
        self.alpha_decay = alpha_decay
        self.tau = tau
        # Not learned, hence no part of the state: a loaded one would contradict the settings.
        for name in ("omega", "_alpha", "_undecayed"):
            self.register_buffer(name, torch.zeros(self.layout.n_targets), persistent=False)
        adjustment = torch.zeros(self.layout.n_targets, self.layout.widest)
        self.register_buffer("_adjustment", adjustment, persistent=False)
        if alpha is not None:
            self.alpha = alpha
        self._go_by(distributions)

    @property
    def alpha(self) -> Tensor:
        """Weight of class rectification of every target, (n_targets,); a copy."""
        return self._alpha.clone()

    @alpha.setter
    def alpha(self, alpha: Tensor | float | Sequence[float]) -> None:
        given = check_alpha(alpha, self.layout)
        self._has_given_alpha = True
        self._weigh(given)

    def _weigh(self, alpha: Tensor) -> None:
        """Weigh class rectification, with what is due in a first epoch."""
        self._undecayed = alpha.to(self._undecayed)
        self._alpha = self._undecayed
        # Known to the host, so that no step has to ask the device whether it rectifies at all.
        self._rectifies = bool(alpha.any())

    def begin_epoch(self, epoch: int, n_epochs: int) -> None:
        r"""Weigh class rectification as is due in an epoch; without `alpha_decay` nothing changes.

        A training loop calls it at the start of each epoch, before `prepare`.

        Parameters
        ----------
        epoch : int
            Epochs that the network has been trained for. Training that goes on counts on, so this
            can be `n_epochs` and more: the decay is over then.
        n_epochs : int
            Epochs that training is planned to take.

        Examples
        --------
        >>> from sk_crl.loss import ClassRectificationLoss
        >>> loss = ClassRectificationLoss([90, 10], alpha=0.4, alpha_decay="cosine")
        >>> for epoch in range(4):
        ...     loss.begin_epoch(epoch, 4)
        ...     print(f"{loss.alpha.item():.3f}")
        0.400
        0.341
        0.200
        0.059
        """
        if self.alpha_decay is not None:
            done = min(epoch / n_epochs, 1)
            self._alpha = self._undecayed * ((math.cos(math.pi * done) + 1) / 2)

    def set_class_counts(self, class_counts: Sequence[float] | Sequence[Sequence[float]]) -> None:
        r"""Go by other class counts, such as those of batches that a sampler draws.

        They set :math:`\Omega`, the adjustment by `tau` and, unless it was given,
        :math:`\alpha`. A training loop calls it between epochs, before `begin_epoch`.

        Parameters
        ----------
        class_counts : sequence of float, or sequence of such sequences
            Number of samples of every class, as many classes as there were, for one target or for
            each.

        Raises
        ------
        ValueError
            For other numbers of targets or classes, and for counts that are none.

        Examples
        --------
        >>> from sk_crl.loss import ClassRectificationLoss
        >>> loss = ClassRectificationLoss([90, 10])
        >>> loss.set_class_counts([60, 40])
        >>> loss.omega
        tensor([0.1667])
        """
        distributions = _distributions(class_counts)
        n_classes = tuple(len(d.counts) for d in distributions)
        if n_classes != self.layout.n_classes:
            raise ValueError(
                f"class_counts must be those of {self.layout.n_classes} classes, as before; got "
                f"those of {n_classes}."
            )
        self._go_by(distributions)

    def _go_by(self, distributions: list[ClassDistribution]) -> None:
        """Set what follows from class counts."""
        omega = torch.tensor([d.omega for d in distributions], dtype=torch.float64)
        self.omega = omega.to(self.omega)
        if not self._has_given_alpha:
            alpha = [d.alpha(self.eta) for d in distributions]
            self._weigh(torch.tensor(alpha, dtype=torch.float64))
        adjustment = self.layout.table([self.tau * d.log_prior for d in distributions])
        self._adjustment = adjustment.to(self._adjustment)


def _distributions(
    class_counts: Sequence[float] | Sequence[Sequence[float]],
) -> list[ClassDistribution]:
    """Check the class counts of one target or of each."""
    counts = per_target("class_counts", class_counts)
    return [ClassDistribution.from_counts(of_target) for of_target in counts]
