"""From scores to decisions: prior correction and probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sk_crl._distribution import ClassDistribution
from sk_crl._layout import ColumnLayout


@dataclass(frozen=True)
class Decision:
    """How the scores of a network decide.

    Parameters
    ----------
    layout : ColumnLayout
        The targets' columns.
    offsets : Tensor of shape (n_columns,)
        What is added to the scores: ``-tau * log(prior)`` where the prior is removed at prediction
        (Menon et al., 2021), else 0.
    """

    layout: ColumnLayout
    offsets: Tensor

    @classmethod
    def without_prior(
        cls, layout: ColumnLayout, distributions: list[ClassDistribution], tau: float
    ) -> Decision:
        """Remove the prior of these class distributions, to a strength of `tau`."""
        offsets = np.concatenate([-tau * d.log_prior for d in distributions])
        return cls(layout, torch.as_tensor(offsets, dtype=torch.float32))

    def adjust(self, scores: Tensor) -> Tensor:
        """Add the offsets; (n_samples, n_columns) in float32."""
        return scores.float() + self.offsets.to(scores.device)

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """Log-probabilities that decide, padded (n_samples, n_targets, widest)."""
        return self.layout.pad(self.adjust(scores), fill=-torch.inf).log_softmax(2)

    def __call__(self, scores: Tensor) -> Tensor:
        """Probabilities that decide, padded; of one target (n_samples, n_classes)."""
        probabilities = self.log_probabilities(scores).exp()
        return probabilities[:, 0] if self.layout.n_targets == 1 else probabilities
