"""Class-level rectification in compiled loops, where the extra ``fast`` has brought Numba."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from sk_crl.loss._profile import reads_are_free

# The loops sort what they mine by insertion, which takes longer than tensors where it is much.
_MOST_MINED = 256


class FusedLabels(NamedTuple):
    """The labels as they are, and the settings of loops that see to all the rest.

    Attributes
    ----------
    codes : Tensor of int64, shape (n_targets, n_samples)
        The class of each sample, -1 where it is missing.
    scale : Tensor of float64, shape (n_targets,)
        What each target's loss is multiplied by.
    kappa : int
        Hard samples of each kind.
    rho : float
        Share of the batch that classes with anchors may hold.
    margin : float
        Margin of the relative comparison.
    """

    codes: Tensor
    scale: Tensor
    kappa: int
    rho: float
    margin: float


def can_fuse(codes: Tensor, kappa: int) -> bool:
    """Tell whether there are compiled loops, which these labels can take and gain by."""
    return kappa <= _MOST_MINED and reads_are_free(codes) and _kernel() is not None


def rectify_fused(p: Tensor, labels: FusedLabels) -> tuple[Tensor, Tensor, Tensor]:
    """Do what `rectify_class_level` does with the relative comparison.

    Parameters
    ----------
    p : Tensor of shape (n_targets, widest, n_samples)
        Softmax probabilities.
    labels : FusedLabels
        The labels.

    Returns
    -------
    loss : Tensor of shape (n_targets,)
        The loss.
    rows : Tensor of int64, shape (n_targets, n_anchor_classes)
        The classes whose samples are anchors, as rows of those of all targets.
    by_log_p : Tensor of shape (n_targets, n_anchor_classes, n_samples)
        Its derivatives by the logarithms of their probabilities.
    """
    codes, scale, *settings = labels
    arrays = _kernel().rectify(p.numpy(), codes.numpy(), scale.numpy(), *settings)
    loss, rows, by_log_p = map(torch.from_numpy, arrays)
    return loss.to(p.dtype), rows, by_log_p


@cache
def _kernel() -> ModuleType | None:
    """Import the loops; None without Numba, or where it is told not to compile."""
    try:
        import numba

        from sk_crl.loss import _fused_kernel
    except ImportError:
        return None
    return None if numba.config.DISABLE_JIT else _fused_kernel
