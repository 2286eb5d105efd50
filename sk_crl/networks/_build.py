"""From the `module` parameter to a network that returns scores and features."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from sk_crl._building import building_arguments, names_of_settings
from sk_crl._layout import ColumnLayout
from sk_crl._names import unknown_name

# Our networks, by the name that `module` knows them by and that of the class in `sk_crl.networks`.
NETWORKS = {
    "anet": "ANet",
    "cifarnet": "CifarNet",
    "darn": "DARN",
    "ddan": "DDAN",
    "deepid2": "DeepID2",
    "densenet40": "DenseNet40",
    "fashionnet": "FashionNet",
    "mlp": "MLP",
    "mtct": "MTCT",
    "panda": "PANDA",
    "resnet32": "ResNet32",
    "resnet50": "ResNet50",
    "table": "TableNetwork",
}
# What the data say, which a module is told where its signature asks for it.
TOLD = ("n_features", "n_classes", "input_shape", "cardinalities")
_MOST_LISTED = 10  # targets in a message
_stance = threading.RLock()  # what the compiler does is the same for all threads


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
        module = named_network(module)
    if isinstance(module, nn.Module) or not callable(module):
        raise TypeError(
            f"module must be a name ({', '.join(map(repr, NETWORKS))}), an nn.Module class or a "
            f"callable that builds one; got the {type(module).__name__} {module!r}. Pass the class "
            "rather than an instance, so that every fit starts afresh."
        )
    network = module(**building_arguments("module", module, told, settings))
    if not isinstance(network, nn.Module):
        raise TypeError(f"module must build an nn.Module; {module!r} built {network!r}.")
    if not inspect.isclass(module):
        network = deepcopy(network)  # a callable may return the same one every time
    if not any(p.requires_grad for p in network.parameters()):
        raise ValueError(f"module must have parameters to train; {module!r} built one without.")
    return network


def named_network(name: str) -> type[nn.Module]:
    """Import the network of a name in `NETWORKS`."""
    return getattr(import_module("sk_crl.networks"), NETWORKS[name])


def settings_of(module: str | Callable[..., nn.Module]) -> list[str]:
    """List the settings to choose for a network, as far as its signature names them."""
    if isinstance(module, str):
        module = named_network(module) if module in NETWORKS else None
    return names_of_settings(module, TOLD)


class ScoresAndFeatures(nn.Module):
    """Make any network return its scores and, where they are needed, the features before them.

    Parameters
    ----------
    network : nn.Module
        Returns scores, or a tuple of scores and features. Scores and features of several targets
        may also be lists of one tensor for every target.
    layout : ColumnLayout
        The columns that the scores must have.
    titles : sequence of str
        What messages call the targets.
    needs_features : bool, default=False
        Whether features must come back in training. From a network that returns scores alone they
        are the input of its last linear layer.

    Raises
    ------
    ValueError
        In `forward` and `with_features`, where the network returns another shape, or features are
        needed and cannot be had.
    """

    def __init__(
        self,
        network: nn.Module,
        layout: ColumnLayout,
        titles: Sequence[str],
        needs_features: bool = False,
    ):
        super().__init__()
        self.network = network
        self.layout = layout
        self.titles = list(titles)
        self.needs_features = needs_features
        self.is_compiled = False

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return scores, (n_samples, n_columns), and features or None."""
        if self.needs_features and self.training:
            return self.with_features(X)
        return self._unpacked(self.network(X), len(X))

    def with_features(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores, (n_samples, n_columns), and features."""
        with _calls_of(self._score_layers()) as calls, self.as_written():
            output = self.network(X)
        scores, features = self._unpacked(output, len(X))
        if features is None:
            inputs = [given for given, made in calls if made.data_ptr() == scores.data_ptr()]
            if not inputs:
                raise ValueError(
                    "level='instance' and features() need features, but the module returned scores "
                    "alone and they are not the output of an nn.Linear layer, whose input could be "
                    "taken. Return a tuple (scores, features), or use level='class'."
                )
            features = inputs[-1].flatten(1)
        return scores, features

    def compile_network(self, backend: str) -> None:
        """Have the network compiled from its next call on."""
        self.network.compile(backend=backend)
        self.is_compiled = True

    @contextmanager
    def as_written(self) -> Iterator[None]:
        """Predict without what is compiled, which passes over hooks that came later."""
        if not self.is_compiled or self.training:  # training compiles with its hooks in place
            yield
            return
        with _stance, torch.compiler.set_stance("force_eager"):
            yield

    def _unpacked(self, output: Any, n_samples: int) -> tuple[Tensor, Tensor | None]:
        """Check what the network has returned."""
        if isinstance(output, tuple) and len(output) == 2:
            scores, features = output
        else:
            scores, features = output, None
        if isinstance(scores, list) and (self.layout.n_targets > 1 or len(scores) == 1):
            scores = self._joined(scores, n_samples)
        if isinstance(features, list):
            features = self._stacked(features)
        expected = (n_samples, self.layout.n_columns)
        if (
            isinstance(scores, Tensor)
            and scores.shape == expected
            and isinstance(features, Tensor | None)
        ):
            return scores, features
        raise ValueError(
            f"module must return scores, a Tensor of shape {expected} with one column for every "
            f"class{self._listed_targets()}{self._or_list()}, or a tuple of such scores and "
            f"features; got {_described(output)}."
        )

    def _joined(self, branches: list[Any], n_samples: int) -> Tensor:
        """Put the scores of all targets side by side."""
        if len(branches) != self.layout.n_targets:
            raise ValueError(
                f"module must return the scores of {self.layout.n_targets} targets"
                f"{self._listed_targets()}; got a list of {len(branches)}."
            )
        for title, n_classes, branch in zip(
            self.titles, self.layout.n_classes, branches, strict=True
        ):
            expected = (n_samples, n_classes)
            if not isinstance(branch, Tensor) or branch.shape != expected:
                raise ValueError(
                    f"module must return scores of shape {expected} for {title}, one column for "
                    f"every class; got {_described(branch)}."
                )
        return torch.cat(branches, 1)

    def _stacked(self, branches: list[Any]) -> Tensor:
        """Stack the features of all targets, (n_samples, n_targets, d)."""
        shapes = {tuple(b.shape) if isinstance(b, Tensor) else None for b in branches}
        if len(branches) != self.layout.n_targets or len(shapes) > 1 or None in shapes:
            raise ValueError(
                f"module must return features as one Tensor, or as a list of one for each target, "
                f"{self.layout.n_targets} target(s) and all equally wide{self._listed_targets()}; "
                f"got {', '.join(map(_described, branches)) or 'an empty list'}."
            )
        return torch.stack(branches, 1)

    def _listed_targets(self) -> str:
        """List the targets and their numbers of classes, where there are several."""
        if self.layout.n_targets == 1:
            return ""
        pairs = zip(self.titles, self.layout.n_classes, strict=True)
        listed = [f"{title}: {n_classes}" for title, n_classes in pairs]
        more = [f"... {len(listed)} in all"] if len(listed) > _MOST_LISTED else []
        return f" ({', '.join(listed[:_MOST_LISTED] + more)})"

    def _or_list(self) -> str:
        """Say what else scores may be, where there are several targets."""
        return ", a list of one such Tensor for every target" if self.layout.n_targets > 1 else ""

    def _score_layers(self) -> list[nn.Linear]:
        """List the linear layers that can make the scores."""
        return [
            layer
            for layer in self.network.modules()
            if isinstance(layer, nn.Linear) and layer.out_features == self.layout.n_columns
        ]


def _described(output: Any) -> str:
    """Say what a network has returned, without its numbers."""
    if isinstance(output, tuple) and len(output) == 2:
        return " and ".join(map(_described, output))
    if isinstance(output, tuple | list):
        return f"a {type(output).__name__} of {len(output)}"
    if isinstance(output, Tensor):
        return f"shape {tuple(output.shape)}"
    return "None" if output is None else f"a {type(output).__name__}"


@contextmanager
def _calls_of(layers: list[nn.Linear]) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """List inputs and outputs of `layers` while the context is open, in the order of the calls."""
    calls: list[tuple[Tensor, Tensor]] = []
    handles = [
        layer.register_forward_hook(lambda _, given, made: calls.append((given[0], made)))
        for layer in layers
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
