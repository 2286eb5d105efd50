"""A fingerprint of data, estimators and scorers: equal in every process, other when they differ.

Neither `repr`, which leaves out what is long, nor a hash of pickled bytes, which depend on which
equal objects are one object, can tell whether a finished fit is the one that is asked for now.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from scipy import sparse

ATOMS = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))


def fingerprint(value: Any) -> str:
    """Hash a value by what it holds.

    Estimators are their class and parameters; what they have learned does not count, as a clone
    forgets it. Functions and classes that can be imported are their names, so a change of their
    code is not seen; those of a script, of a notebook or inside a function are their code.

    Parameters
    ----------
    value : object
        Arrays, data frames, containers, estimators, functions, or what else could be pickled.

    Returns
    -------
    str
        Hexadecimal digits.

    Raises
    ------
    TypeError
        For what could not be pickled either, such as a generator.
    """
    digest = sha256()
    for piece in _pieces(value, ()):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(value: Any, holders: tuple[int, ...]) -> Iterator[bytes]:
    """Write a value down piece by piece; `holders` are the ids of the objects that it is in."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, ATOMS):
        yield f"{type(value).__name__} {value!r};".encode()
    elif id(value) in holders:
        yield f"up {len(holders) - holders.index(id(value))};".encode()
    else:
        kind, parts = _take_apart(value)
        if isinstance(parts, bytes):
            yield f"{kind} of {len(parts)} bytes:".encode()
            yield parts
        else:
            yield f"{kind} of {len(parts)}:".encode()
            for part in parts:
                yield from _pieces(part, (*holders, id(value)))


def _take_apart(value: Any) -> tuple[str, bytes | list[Any]]:
    """Say of what kind a value is, and what is in it, in an order that does not depend on luck."""
    if isinstance(value, np.ndarray):
        kind = f"array {value.dtype.str} {value.shape}"
        return kind, value.ravel().tolist() if value.dtype.hasobject else value.tobytes()
    if isinstance(value, list | tuple):
        return _name(type(value)), list(value)
    if isinstance(value, Mapping):
        items = {fingerprint(key): item for key, item in value.items()}
        return _name(type(value)), [part for key in sorted(items) for part in (key, items[key])]
    if isinstance(value, set | frozenset):
        return _name(type(value)), sorted(map(fingerprint, value))
    if isinstance(value, type | FunctionType | BuiltinFunctionType | np.ufunc | ModuleType):
        return _take_code_apart(value)
    if isinstance(value, CodeType):
        return "code", [value.co_code, value.co_consts, value.co_names, value.co_varnames]
    if sparse.issparse(value):
        rows = value.tocsr()
        return "sparse", [rows.shape, rows.data, rows.indices, rows.indptr]
    if hasattr(value, "columns") and hasattr(value, "dtypes"):
        columns = [(str(name), value[name]) for name in value.columns]
        return _name(type(value)), columns
    if hasattr(value, "to_list") and hasattr(value, "dtype"):
        return f"{_name(type(value))} {value.dtype}", [np.asarray(value)]
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        return "tensor", [value.detach().cpu().numpy()]
    if hasattr(value, "get_params"):
        return _name(type(value)), [value.get_params(deep=False)]
    return _reduce(value)


def _take_code_apart(value: Any) -> tuple[str, list[Any]]:
    """Take a class or function for its name, or for its code where that cannot be imported."""
    if isinstance(value, ModuleType):
        return f"module {value.__name__}", []
    if isinstance(value, np.ufunc):
        return f"ufunc {value.__name__}", []
    if _is_importable(value) or not isinstance(value, type | FunctionType):
        return f"name {_name(value)}", []
    if isinstance(value, type):
        methods = {k: v for k, v in vars(value).items() if isinstance(v, FunctionType)}
        return f"class {_name(value)}", [value.__bases__, methods]
    # A cell may be empty while the function that it is in is being made.
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    return "function", [value.__code__, value.__defaults__, value.__kwdefaults__, cells]


def _is_importable(value: Any) -> bool:
    """Whether a class or function is what its name stands for in a module, not in a script."""
    found = sys.modules.get(getattr(value, "__module__", None) or "")
    if found is None or found.__name__ == "__main__":
        return False
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value


def _name(value: Any) -> str:
    """Name a class or function in full."""
    return f"{value.__module__}.{value.__qualname__}"


def _reduce(value: Any) -> tuple[str, list[Any]]:
    """Take any other object apart as pickle would."""
    registered = copyreg.dispatch_table.get(type(value))
    reduced = registered(value) if registered else value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return f"object {reduced}", []
    make, arguments, *rest = reduced
    state, items, pairs = [*rest, None, None, None][:3]
    return "object", [make, arguments, state, list(items or ()), list(pairs or ())]
