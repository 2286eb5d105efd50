"""The class distribution of a training set: counts, prior, imbalance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-12


@dataclass(frozen=True)
class ClassDistribution:
    r"""How a training set's labels are spread over the classes of one target.

    Parameters
    ----------
    counts : ndarray of float64, shape (n_classes,)
        Number (or total sample weight) of every class.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_crl._distribution import ClassDistribution
    >>> distribution = ClassDistribution(np.array([43.0, 1.0]))
    >>> round(distribution.omega, 3)
    0.488
    """

    counts: NDArray[np.float64]

    @classmethod
    def from_counts(cls, counts: ArrayLike) -> ClassDistribution:
        """Check counts and wrap them."""
        counts = np.asarray(counts, dtype=np.float64)
        if counts.ndim != 1 or len(counts) < 2 or not (counts >= 0).all() or not counts.sum() > 0:
            raise ValueError(
                "class counts must be a sequence of two or more non-negative numbers, not all of "
                f"them 0; got {counts.tolist()}."
            )
        return cls(counts)

    @property
    def plain_counts(self) -> NDArray[np.int64] | NDArray[np.float64]:
        """The counts, as integers where all of them are whole."""
        are_whole = (self.counts % 1 == 0).all() and self.counts.max() < 2**53
        return self.counts.astype(np.int64) if are_whole else self.counts

    @property
    def seen(self) -> NDArray[np.float64]:
        """The counts, or equal ones where no class has been seen yet."""
        return self.counts if self.counts.any() else np.ones_like(self.counts)

    @property
    def prior(self) -> NDArray[np.float64]:
        """The share of every class."""
        return self.seen / self.seen.sum()

    @property
    def log_prior(self) -> NDArray[np.float64]:
        """The logarithm of the prior; a class never seen is taken to be as rare as the rarest seen.

        Without that floor, removing the prior would make the unseen class win everywhere.
        """
        return np.log(np.maximum(self.prior, self.prior[self.prior > 0].min()))

    @property
    def omega(self) -> float:
        r"""The imbalance :math:`\Omega = 1 - n / (K n_{max})` (Eq. 8), in [0, 1 - 1/K].

        The share of samples that a balanced set, every class as large as the largest, would hold
        and this one lacks.
        """
        omega = float(1 - self.seen.sum() / (len(self.seen) * self.seen.max()))
        # Counts that are sums of weights are balanced up to rounding.
        return omega if omega > _ROUNDING else 0.0

    def alpha(self, eta: float) -> float:
        r"""Weight of class rectification, :math:`\min(\eta \Omega, 1)` (Eq. 8)."""
        return min(eta * self.omega, 1.0)
