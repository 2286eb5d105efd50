"""What the fully connected networks share: the widths they are told, and their last layers."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np
from torch import Tensor, nn

from sk_crl._checks import check_integer, check_real
from sk_crl.networks._branches import Branches


def list_widths(hidden_units: int | Sequence[int]) -> Sequence[int]:
    """List the width of every hidden layer.

    Raises
    ------
    ValueError
        For widths that are no positive integers.
    """
    widths = [hidden_units] if isinstance(hidden_units, Integral) else hidden_units
    if not isinstance(widths, Sequence | np.ndarray) or not all(
        isinstance(width, Integral) and width >= 1 for width in widths
    ):
        raise ValueError(
            f"hidden_units must be a positive integer or a sequence of them; got {hidden_units!r}."
        )
    return widths


def make_head(
    n_inputs: int, n_classes: int | Sequence[int], branch_units: int, dropout: float
) -> nn.Module:
    """Make the last layer or, for several targets, a branch for each, if it has units.

    Raises
    ------
    ValueError
        For a negative width, and a dropout outside [0, 1).
    """
    check_real("dropout", dropout, 0, 1, "[)")
    check_integer("branch_units", branch_units, 0)
    if isinstance(n_classes, Integral):
        return nn.Linear(n_inputs, n_classes)
    if branch_units:
        return Branches(n_inputs, n_classes, branch_units, dropout)
    return nn.Linear(n_inputs, sum(n_classes))


def run_head(head: nn.Module, feature: Tensor) -> tuple[Tensor, Tensor]:
    """Compute scores and the feature before them, which branches make anew for every target."""
    return head(feature) if isinstance(head, Branches) else (head(feature), feature)
