"""From the `optimizer` parameter to a class and its settings."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.optim import Optimizer

from sk_crl._names import unknown_name

_BY_NAME = {
    name.lower(): kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
}
# Those with an implementation that updates all parameters in one call, on CPU and GPU alike.
_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def find_optimizer(
    optimizer: str | type[Optimizer], settings: dict[str, Any]
) -> tuple[type[Optimizer], dict[str, Any]]:
    """Find the optimizer, and use its fused implementation unless the settings say otherwise.

    Parameters
    ----------
    optimizer : str or Optimizer class
        The class, or the name of one of `torch.optim`'s in lower or upper case.
    settings : dict
        Keyword arguments of the optimizer.

    Returns
    -------
    Optimizer class
    dict
        The settings to use.

    Raises
    ------
    ValueError
        For an unknown name, of an optimizer or of a setting.
    TypeError
        For what is no optimizer class.
    """
    if isinstance(optimizer, str):
        if optimizer.lower() not in _BY_NAME:
            raise ValueError(unknown_name("optimizer", optimizer, _BY_NAME))
        optimizer = _BY_NAME[optimizer.lower()]
    is_other_class = inspect.isclass(optimizer) and not issubclass(optimizer, Optimizer)
    if not callable(optimizer) or isinstance(optimizer, Optimizer) or is_other_class:
        raise TypeError(
            f"optimizer must be a name such as 'adam' or a torch.optim class; got {optimizer!r}."
        )
    known = inspect.signature(optimizer).parameters
    for name in settings:
        # skorch shares out settings among layers under a name of its own
        if name.partition("__")[0] not in {*known, "param_groups"}:
            names = [f"optimizer__{k}" for k in known if k != "params"]
            raise ValueError(unknown_name("parameter", f"optimizer__{name}", names))
    if optimizer in _FUSED and not settings.keys() & {"fused", "foreach", "differentiable"}:
        settings = settings | {"fused": True}
    return optimizer, settings
