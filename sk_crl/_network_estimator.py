"""What all estimators share that train a network: its parameters, and how it is built."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from sk_crl._parameters import PrefixedParameters
from sk_crl._reading import SampleReader
from sk_crl.networks._build import ScoresAndFeatures, build_network, settings_of


class NetworkEstimator(SampleReader, PrefixedParameters):
    """Base of estimators that build a network, and pass parameters on to it and an optimizer."""

    module: str | Callable[..., nn.Module]
    _prefixes = ("module__", "optimizer__")

    @abstractmethod
    def _n_classes_told(self) -> int | tuple[int, ...]:
        """Say what a module is told of the number of classes."""

    def _built_module(self) -> str | Callable[..., nn.Module]:
        """Say what is built."""
        return self.module

    def _arguments_from_samples(self) -> dict[str, Any]:
        """Say what a module is told of samples, beside their shape."""
        return {}

    def _all_names(self) -> list[str]:
        """List the names to suggest in place of an unknown one."""
        inner = [f"module__{name}" for name in settings_of(self._built_module())]
        return [*super()._all_names(), *inner, "optimizer__weight_decay", "optimizer__momentum"]

    def _built_network(self) -> ScoresAndFeatures:
        """Build the network, telling it of the data what it asks for."""
        told: dict[str, Any] = {
            "n_features": int(np.prod(self._sample_shape)),
            "input_shape": self._sample_shape,
            "n_classes": self._n_classes_told(),
        }
        told |= self._arguments_from_samples()
        network = build_network(self._built_module(), told, self._prefixed("module__"))
        return ScoresAndFeatures(network, self._targets.layout, self._targets.titles)

    def _take_over(self, network: nn.Module, trained: nn.Module) -> None:
        """Give a network that is built anew the weights of the last fit."""
        try:
            network.load_state_dict(trained.state_dict())
        except RuntimeError as error:
            raise ValueError(
                "Training cannot go on: the weights of the last fit do not fit the network "
                f"that module={self.module!r} and the other parameters build now. Leave "
                f"these as they were, or start afresh with warm_start=False. {error}"
            ) from error
