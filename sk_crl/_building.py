"""What to call a builder with: what the data say, and what the user says under a prefix."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from sk_crl._names import unknown_name


def names_of_settings(builder: Any, told: Iterable[str]) -> list[str]:
    """List the names in a builder's signature, without those of what it is told."""
    if not callable(builder):
        return []
    parameters = inspect.signature(builder).parameters.values()
    named = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return [name for name in named if name not in told]


def building_arguments(
    kind: str, builder: Callable, told: dict[str, Any], settings: dict[str, Any]
) -> dict[str, Any]:
    """Find what to call a builder with.

    Parameters
    ----------
    kind : str
        The parameter that the builder comes from, and the prefix of its settings.
    builder : callable
        What is to be called.
    told : dict
        What the data say, passed where the builder has a parameter of that name.
    settings : dict
        What the user says, always passed.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        For a setting that the builder does not take, and where it needs another.
    """
    parameters = inspect.signature(builder).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in settings.keys() - parameters.keys():
            known = [f"{kind}__{known}" for known in names_of_settings(builder, told)]
            raise ValueError(unknown_name("parameter", f"{kind}__{name}", known))
    arguments = {k: v for k, v in told.items() if k in parameters} | settings
    lacking = [
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        if name not in arguments
    ]
    if lacking:
        raise ValueError(
            f"{kind} needs {', '.join(lacking)}: set {', '.join(f'{kind}__{k}' for k in lacking)}. "
            f"It is told {', '.join(told)} where its signature asks for {_them(told)}."
        )
    return arguments


def _them(told: dict) -> str:
    return "them" if len(told) > 1 else "it"
