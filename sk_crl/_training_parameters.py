"""Checks of the parameters that training has."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from sk_crl._checks import check_boolean, check_choice, check_integer, check_real
from sk_crl._names import unknown_name
from sk_crl.training import MONITORS, PRECISIONS
from sk_crl.training._samplers import evens_out, find_batch_sampler

if TYPE_CHECKING:
    from sk_crl._base import NetworkClassifier

CORRECTIONS = ("balanced", "exp")  # class weights from class counts


def check_parameters(estimator: NetworkClassifier) -> None:
    """Raise ValueError for a parameter of training outside its range; the loss checks its own."""
    check_choice("logit_adjustment", estimator.logit_adjustment, estimator._logit_adjustments)
    several = isinstance(estimator.class_weight, list | tuple)
    weights = estimator.class_weight if several else [estimator.class_weight]
    named = [weight for weight in weights if isinstance(weight, str) and weight in CORRECTIONS]
    if named and estimator._correction is not None:
        warnings.warn(
            f"class_weight={named[0]!r} and logit_adjustment={estimator._correction!r} both "
            "correct for the class prior, so that rare classes count twice. Use one of them: "
            "set class_weight=None or logit_adjustment=None.",
            stacklevel=4,
        )
    if named and evens_out(estimator.batch_sampler):
        warnings.warn(
            f"class_weight={named[0]!r} and batch_sampler={estimator.batch_sampler!r} both even "
            "classes out, so that rare classes count twice. Use one of them.",
            stacklevel=4,
        )
    find_batch_sampler(estimator.batch_sampler)
    check_choice("monitor", estimator.monitor, tuple(MONITORS))
    for name in ("early_stopping", "warm_start"):
        check_boolean(name, getattr(estimator, name))
    for name in ("max_epochs", "batch_size"):
        may_be_auto = name in estimator._may_be_auto
        if not (may_be_auto and is_auto(getattr(estimator, name))):
            otherwise = "or 'auto'" if may_be_auto else ""
            check_integer(name, getattr(estimator, name), 1, otherwise)
    check_choice("precision", estimator.precision, PRECISIONS)
    _check_compile(estimator.compile)
    check_integer("num_workers", estimator.num_workers, 0)
    check_integer("patience", estimator.patience, 1)
    check_real("lr", estimator.lr, 0, np.inf, "()")
    if estimator.max_time is not None:
        check_real("max_time", estimator.max_time, 0, np.inf, "(]")
    check_real("tau", estimator.tau, 0, np.inf, "[)")
    check_real("validation_fraction", estimator.validation_fraction, 0, 1, "()")
    if not (estimator.callbacks is None or isinstance(estimator.callbacks, list | tuple)):
        raise ValueError(
            f"callbacks must be a list of skorch callbacks, or None; got {estimator.callbacks!r}."
        )
    for callback in estimator.callbacks or []:
        is_named = isinstance(callback, tuple) and len(callback) == 2
        bare = callback[1] if is_named else callback
        is_class = isinstance(bare, type)
        if (
            is_class
            or not hasattr(bare, "on_train_begin")
            or (is_named and not isinstance(callback[0], str))
        ):
            raise ValueError(
                "callbacks must hold skorch callbacks, or tuples of a name and a callback; got "
                f"{'the class ' if is_class else ''}{callback!r}."
            )


def is_auto(value: Any) -> bool:
    """Whether a parameter leaves the choice to the estimator."""
    return isinstance(value, str) and value == "auto"


def _check_compile(given: Any) -> None:
    """Raise ValueError for what is neither a boolean nor the name of a compiler that is there."""
    if isinstance(given, bool | np.bool_):
        return
    if not isinstance(given, str):
        raise ValueError(
            f"compile must be True, False or the name of a backend of torch.compile; got {given!r}."
        )
    import torch

    if given not in torch.compiler.list_backends(exclude_tags=()):
        known = ["aot_eager", *torch.compiler.list_backends()]  # without those of its developers
        raise ValueError(unknown_name("backend of compile", given, known))
