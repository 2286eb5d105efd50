"""From the scores of several networks to one prediction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sk_crl._decision import Decision
from sk_crl._layout import ColumnLayout


@dataclass(frozen=True)
class Averaging:
    """How the members of an ensemble speak with one voice.

    Parameters
    ----------
    layout : ColumnLayout
        The targets' columns, those of one member.
    decision : Decision
        What makes probabilities of the scores of all members.
    weight : Tensor of shape (n_members, n_targets)
        What the members count, for every target; adds up to 1 over them.
    """

    layout: ColumnLayout
    decision: Decision
    weight: Tensor

    def by_member(self, scores: Tensor) -> Tensor:
        """Compute log-probabilities, (n_samples, n_members, n_targets, widest)."""
        return self.decision.log_probabilities(scores).unflatten(1, self.weight.shape)

    def __call__(self, scores: Tensor) -> Tensor:
        """Compute the logarithm of the mean probability of every class, (n_samples, n_columns)."""
        weighted = self.by_member(scores) + self.weight.log().to(scores.device)[..., None]
        return self.layout.unpad(torch.logsumexp(weighted, 1))
