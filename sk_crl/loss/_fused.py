"""Rectification by relative comparison in fused loops, where there is Numba to compile them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sk_crl._checks import check_choice
from sk_crl._extras import import_extra
from sk_crl.loss._profile import reads_are_free

# Loops sort by insertion what they mine, for each class or, at instance level, for each anchor. It
# is faster than tensors where that is few samples or, for a class, not many times as many as it has
# (`benchmarks/loss.py`).
_FEW_OF_A_CLASS = 128
_TIMES_A_CLASS = 10
_FEW_OF_AN_ANCHOR = 256


class FusedLabels(NamedTuple):
    """The labels as they are, for loops that see to all the rest.

    Attributes
    ----------
    codes : Tensor of int64, shape (n_targets, n_samples)
        The class of each sample, -1 where it is missing.
    scale : Tensor of float64, shape (n_targets,)
        What each target's loss is multiplied by.
    """

    codes: Tensor
    scale: Tensor


class FusedSettings(NamedTuple):
    """The settings that loops go by.

    Attributes
    ----------
    kappa : int
        Hard samples of each kind.
    rho : float
        Share of the batch that classes with anchors may hold.
    margin : ndarray of float64, shape (n_targets,)
        Margin of each target's comparison.
    """

    kappa: int
    rho: float
    margin: NDArray


def can_fuse(codes: Tensor, n_classes: int, kappa: int, level: str) -> bool:
    """Tell whether there are loops, which can take these labels and gain by it."""
    if level == "instance":
        gains = kappa <= _FEW_OF_AN_ANCHOR
    else:
        gains = kappa <= _FEW_OF_A_CLASS or kappa * n_classes <= _TIMES_A_CLASS * codes.shape[1]
    return gains and reads_are_free(codes) and fused_loops(level, torch.float32) is not None


def rectify_probabilities_fused(
    p: Tensor, labels: FusedLabels, settings: FusedSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Do what `rectify_class_level` does with the relative comparison.

    Parameters
    ----------
    p : Tensor of shape (n_targets, widest, n_samples)
        Softmax probabilities.
    labels : FusedLabels
        The labels.
    settings : FusedSettings
        The settings.

    Returns
    -------
    loss : Tensor of shape (n_targets,)
        The loss.
    rows : Tensor of int64, shape (n_targets, n_anchor_classes)
        The classes whose samples are anchors, as rows of those of all targets.
    by_log_p : Tensor of shape (n_targets, n_anchor_classes, n_samples)
        Its derivatives by the logarithms of their probabilities.

    Raises
    ------
    ValueError
        For probabilities of other numbers of samples or targets, where loops would read beyond.
    """
    n_targets, _, n_samples = p.shape
    _check_fit(labels, "scores", n_samples, n_targets)
    loss, rows, by_log_p = _run("class", p, labels, settings)
    return loss.to(p.dtype), rows, by_log_p


def rectify_features_fused(
    features: Tensor, labels: FusedLabels, settings: FusedSettings
) -> tuple[Tensor, Tensor]:
    """Do what `rectify_instance_level` does with the relative comparison, distances included.

    Parameters
    ----------
    features : Tensor of shape (1 or n_targets, n_samples, d)
        Features, shared by the targets or of each.
    labels : FusedLabels
        The labels.
    settings : FusedSettings
        The settings.

    Returns
    -------
    loss : Tensor of shape (n_targets,)
        The loss.
    by_feature : Tensor of shape (n_targets, n_samples, d)
        Its derivatives by each target's features.

    Raises
    ------
    ValueError
        For features of other numbers of samples or targets, where loops would read beyond.
    """
    _check_fit(labels, "features", features.shape[1], len(settings.margin))
    loss, by_feature = _run("instance", features.contiguous(), labels, settings)
    return loss.to(features.dtype), by_feature


def _check_fit(labels: FusedLabels, what: str, n_samples: int, n_targets: int) -> None:
    """Refuse what loops would read beyond."""
    if labels.codes.shape != (n_targets, n_samples):
        raise ValueError(
            f"{what} must be those of the samples and targets that labels were prepared for, "
            f"{labels.codes.shape[1]} and {labels.codes.shape[0]}; got {n_samples} and {n_targets}."
        )


def _run(
    level: str, values: Tensor, labels: FusedLabels, settings: FusedSettings
) -> tuple[Tensor, ...]:
    """Run the loops of a level."""
    loops = fused_loops(level, values.dtype)
    results = loops(values.numpy(), labels.codes.numpy(), labels.scale.numpy(), *settings)
    return tuple(map(torch.from_numpy, results))


@cache
def fused_loops(level: str, dtype: torch.dtype) -> Callable | None:
    """Compile the loops of a level, or find them compiled on the disk.

    Parameters
    ----------
    level : {"class", "instance"}
        Whether to compare probabilities or features.
    dtype : torch.dtype
        Their precision.

    Returns
    -------
    callable or None
        `rectify_probabilities` or `rectify_features`, compiled; None where there are none.

    Raises
    ------
    ImportError
        Where there must be loops, and Numba cannot be imported.
    ValueError
        For an environment variable ``SK_CRL_FUSED`` that is neither 0 nor 1.
    """
    numba = _wanted_numba()
    if numba is None:
        return None
    from sk_crl.loss._fused_loops import rectify_features, rectify_probabilities

    loops = rectify_probabilities if level == "class" else rectify_features
    values = torch.full((1, 2, 2), 0.5, dtype=dtype, device="cpu").numpy()
    batch = (values, np.zeros((1, 2), np.int64), np.ones(1), 1, 0.5, np.ones(1))
    try:
        compiled = numba.njit(cache=True, nogil=True)(loops)
        compiled(*batch)
    except Exception as error:  # a folder that is full or read only, or broken files in it
        _warn(
            "Every process compiles the loss anew, for Numba cannot keep it on the disk; set "
            f"NUMBA_CACHE_DIR to a folder where it can: {error!r}"
        )
        compiled = numba.njit(nogil=True)(loops)
        compiled(*batch)
    return compiled


@cache
def _wanted_numba() -> ModuleType | None:
    """Import Numba, if it compiles here and is wanted.

    The environment variable ``SK_CRL_FUSED`` is read once: with 0 there are no loops, with 1 there
    must be, and without it there are where there is Numba.
    """
    wanted = os.environ.get("SK_CRL_FUSED", "")
    check_choice("The environment variable SK_CRL_FUSED", wanted, ("", "0", "1"))
    if wanted == "0":
        return None
    try:
        numba = import_extra("numba", "fast", "SK_CRL_FUSED=1")
    except Exception as error:  # a broken or unfit Numba that nobody need have asked for
        if wanted == "1":
            raise
        cause = error.__cause__ or error
        if getattr(cause, "name", None) != "numba":  # it is there
            _warn(f"Numba cannot be imported, and the loss is computed without it: {cause!r}")
        return None
    return None if numba.config.DISABLE_JIT else numba


def _warn(message: str) -> None:
    """Warn of what a user can change."""
    warnings.warn(message, RuntimeWarning, stacklevel=3)
