"""Parameters with a prefix, such as ``module__hidden_units``, in scikit-learn's manner."""

from __future__ import annotations

import inspect
from collections.abc import Callable
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
        # What has another default here stays where it was, unless it may go without its name.
        first = [p for k, p in named.items() if k not in further or p.kind is not p.KEYWORD_ONLY]
        added = [named.get(k, p) for k, p in further.items() if p.kind is p.KEYWORD_ONLY]
        init.__signature__ = inspect.Signature([*first, *added])  # type: ignore[attr-defined]
        return init

    return decorate


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
