"""Parameters with a prefix, such as ``module__hidden_units``, in scikit-learn's manner."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from sklearn.base import BaseEstimator

from sk_crl._names import unknown_name


def replace_kwargs(by: Callable | None = None) -> Callable[[Callable], Callable]:
    """Show, in the signature of an `__init__`, the parameters that its ``**kwargs`` stand for.

    scikit-learn takes every name in the signature for a parameter.

    Parameters
    ----------
    by : callable, optional
        The `__init__` that the keyword arguments are passed to, whose parameters to show. Without
        it ``**kwargs`` is left out: parameters with a prefix have no list.
    """

    def decorate(init: Callable) -> Callable:
        own = inspect.signature(init).parameters
        further = inspect.signature(by).parameters if by else {}
        named = {k: p for k, p in own.items() if p.kind is not p.VAR_KEYWORD}
        added = [p for k, p in further.items() if k not in named]
        init.__signature__ = inspect.Signature([*named.values(), *added])  # type: ignore[attr-defined]
        return init

    return decorate


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


class PrefixedParameters(BaseEstimator):
    """Estimator that takes further parameters under the prefixes in `_prefixes`.

    ``module__hidden_units=50`` is a parameter like those of the signature: `get_params` lists it,
    `set_params`, `clone` and grid searches reach it. Which names come after the prefix is for what
    they are passed to.
    """

    _prefixes: tuple[str, ...] = ()

    def _set_prefixed(self, parameters: dict[str, Any]) -> None:
        """Take the keyword arguments that the signature does not name."""
        for name in parameters:
            if not name.startswith(self._prefixes):
                raise TypeError(unknown_name("parameter", name, self._all_names()))
        vars(self).update(parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters of this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Also list the parameters of parameters that are estimators.

        Returns
        -------
        dict
            Parameter names and values, those with a prefix included.
        """
        return super().get_params(deep) | self._prefixed()

    def set_params(self, **params) -> PrefixedParameters:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Parameters by name, those with a prefix included.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For an unknown name; the message names the nearest known one and nothing is set.
        """
        for name in params:
            if not self._knows(name):
                raise ValueError(unknown_name("parameter", name, self._all_names()))
        super().set_params(**{k: v for k, v in params.items() if not k.startswith(self._prefixes)})
        vars(self).update({k: v for k, v in params.items() if k.startswith(self._prefixes)})
        return self

    def _prefixed(self, prefix: str | None = None) -> dict[str, Any]:
        """List the parameters with any prefix or, without it, those with the one given."""
        if prefix is None:
            return {k: v for k, v in vars(self).items() if k.startswith(self._prefixes)}
        return {k.removeprefix(prefix): v for k, v in vars(self).items() if k.startswith(prefix)}

    def _knows(self, name: str) -> bool:
        """Whether a parameter of this name, or of a parameter of this estimator, can be set."""
        own, _, inner = name.partition("__")
        if name.startswith(self._prefixes):
            return True
        return own in BaseEstimator.get_params(self, deep=False) and (
            not inner or hasattr(getattr(self, own), "set_params")
        )

    def _all_names(self) -> list[str]:
        """List the names to suggest in place of an unknown one."""
        return list(BaseEstimator.get_params(self, deep=False))
