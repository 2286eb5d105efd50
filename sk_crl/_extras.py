"""Libraries that an extra of this package installs."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def import_extra(module: str, extra: str, user: str) -> ModuleType:
    """Import a module of an optional library.

    Parameters
    ----------
    module : str
        The module.
    extra : str
        The extra that installs its library.
    user : str
        What needs it.

    Returns
    -------
    module
        The module.

    Raises
    ------
    ImportError
        Where it cannot be imported; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{user} needs {module.partition('.')[0]}, which cannot be imported ({error}). "
            f"Install it with: pip install 'sk-crl[{extra}]'."
        ) from error
