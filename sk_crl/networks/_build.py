"""From the `module` parameter to a network that returns scores and features."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from sk_crl._names import unknown_name
from sk_crl.networks._mlp import MLP

NETWORKS: dict[str, type[nn.Module]] = {"mlp": MLP}


def build_network(
    module: str | Callable[..., nn.Module], told: dict[str, Any], settings: dict[str, Any]
) -> nn.Module:
    """Build a network.

    Parameters
    ----------
    module : str, nn.Module class or callable
        Name of one of our networks, or what is called to build one.
    told : dict
        What the data say, passed where `module` has a parameter of that name.
    settings : dict
        What the user says, always passed.

    Returns
    -------
    nn.Module

    Raises
    ------
    ValueError
        For an unknown name, or a setting that `module` does not take.
    TypeError
        Where `module` is nothing that builds a network.
    """
    if isinstance(module, str):
        if module not in NETWORKS:
            raise ValueError(unknown_name("module", module, NETWORKS))
        module = NETWORKS[module]
    if isinstance(module, nn.Module) or not callable(module):
        raise TypeError(
            f"module must be a name ({', '.join(map(repr, NETWORKS))}), an nn.Module class or a "
            f"callable that builds one; got the {type(module).__name__} {module!r}. Pass the class "
            "rather than an instance, so that every fit starts afresh."
        )
    parameters = inspect.signature(module).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in settings.keys() - parameters.keys():
            known = [f"module__{known}" for known in settings_of(module)]
            raise ValueError(unknown_name("parameter", f"module__{name}", known))
    network = module(**{k: v for k, v in told.items() if k in parameters} | settings)
    if not isinstance(network, nn.Module):
        raise TypeError(f"module must build an nn.Module; {module!r} built {network!r}.")
    return network


def settings_of(module: str | Callable[..., nn.Module]) -> list[str]:
    """List the settings that a network takes, as far as its signature names them."""
    module = NETWORKS.get(module, module) if isinstance(module, str) else module
    if not callable(module):
        return []
    parameters = inspect.signature(module).parameters.values()
    return [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]


class ScoresAndFeatures(nn.Module):
    """Make any network return its scores and, where they are needed, the features before them.

    Parameters
    ----------
    network : nn.Module
        Returns scores, or scores and features.
    n_columns : int
        Number of score columns it must return.
    needs_features : bool, default=False
        Whether features must come back. From a network that returns scores alone they are the
        input of its last linear layer.

    Raises
    ------
    ValueError
        In `forward`, where the network returns another shape or no features can be had.
    """

    def __init__(self, network: nn.Module, n_columns: int, needs_features: bool = False):
        super().__init__()
        self.network = network
        self.n_columns = n_columns
        self.needs_features = needs_features

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return scores, (n_samples, n_columns), and features or None."""
        if self.needs_features:
            with _inputs_of(self._score_layers()) as inputs:
                output = self.network(X)
        else:
            inputs, output = [], self.network(X)
        scores, features = self._unpacked(output, len(X))
        if features is None and self.needs_features:
            if not inputs:
                raise ValueError(
                    "level='instance' compares features, but the module returned scores alone and "
                    f"has no nn.Linear layer with {self.n_columns} outputs whose input could be "
                    "taken. Return a tuple (scores, features), or use level='class'."
                )
            features = inputs[-1].flatten(1)
        return scores, features

    def _unpacked(self, output: Any, n_samples: int) -> tuple[Tensor, Tensor | None]:
        """Check what the network has returned."""
        parts = output if isinstance(output, tuple) else (output, None)
        expected = (n_samples, self.n_columns)
        if (
            len(parts) == 2
            and isinstance(parts[0], Tensor)
            and parts[0].shape == expected
            and isinstance(parts[1], Tensor | None)
        ):
            return parts
        raise ValueError(
            f"module must return scores, a Tensor of shape {expected} with one column for every "
            f"class, or a tuple of such scores and features; got {_described(output)}."
        )

    def _score_layers(self) -> list[nn.Linear]:
        """List the linear layers that can make the scores."""
        return [
            layer
            for layer in self.network.modules()
            if isinstance(layer, nn.Linear) and layer.out_features == self.n_columns
        ]


def _described(output: Any) -> str:
    """Say what a network has returned, without its numbers."""
    if isinstance(output, tuple) and len(output) == 2:
        return " and ".join(map(_described, output))
    if isinstance(output, tuple):
        return f"a tuple of {len(output)}"
    if isinstance(output, Tensor):
        return f"shape {tuple(output.shape)}"
    return "None" if output is None else f"a {type(output).__name__}"


@contextmanager
def _inputs_of(layers: list[nn.Linear]) -> Iterator[list[Tensor]]:
    """List what is put into `layers` while the context is open, in the order of the calls."""
    inputs: list[Tensor] = []
    handles = [
        layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
        for layer in layers
    ]
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()
