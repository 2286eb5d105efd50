"""The layer that makes a network's scores: its input and its weights."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from threading import get_ident
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sk_crl.networks._branches import Branches
from sk_crl.networks._build import ScoresAndFeatures


class _Call(NamedTuple):
    """What a layer was given, (n_samples, d) or (n_samples, n_targets, d), and what it made."""

    layer: nn.Linear | Branches
    given: Tensor
    made: Tensor


class LastLayer:
    """A look at the last layer of a network that predicts within this context, in this thread.

    Of every batch it finds the layers whose output the scores are, number by number: one for all
    targets, or one for each. It keeps what they were given.

    Parameters
    ----------
    network : ScoresAndFeatures
        The network, which stays as it is.

    Raises
    ------
    ValueError
        Where scores are no such output; raised by the network's `forward`.
    """

    def __init__(self, network: ScoresAndFeatures):
        self._network = network
        self._calls: list[_Call] = []
        self._layers: list[nn.Linear | Branches] = []
        self._inputs: list[Tensor] = []

    def __enter__(self) -> LastLayer:
        self._thread = get_ident()
        self._network.eval()
        watched = [layer for layer in self._network.modules() if self._may_be_last(layer)]
        with ExitStack() as stack:
            stack.enter_context(self._network.as_written())
            for layer in watched:
                handle = layer.register_forward_hook(self._note, with_kwargs=True)
                stack.callback(handle.remove)
            stack.callback(self._network.register_forward_hook(self._find).remove)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def inputs(self) -> Tensor:
        """Return what it was given: features, (n_samples, d) or (n_samples, n_targets, d)."""
        return torch.cat(self._inputs)

    def weights(self) -> tuple[Tensor, Tensor]:
        """Return copies of its weights, (n_columns, d), and of its biases, (n_columns,)."""
        pairs = [_weights(layer) for layer in self._layers]
        weight, bias = (
            torch.cat(parts).detach().float().cpu() for parts in zip(*pairs, strict=True)
        )
        return weight, bias

    def _may_be_last(self, layer: nn.Module) -> bool:
        """Whether a layer is linear in its input, and as wide as scores are."""
        layout = self._network.layout
        # What extends them may compute something else.
        if isinstance(layer, Branches) and type(layer).forward is Branches.forward:
            return layer.layout == layout
        is_linear = isinstance(layer, nn.Linear) and type(layer).forward is nn.Linear.forward
        return is_linear and layer.out_features in {layout.n_columns, *layout.n_classes}

    def _note(self, layer: nn.Module, args: tuple, kwargs: dict, output: Tensor | tuple) -> None:
        if get_ident() != self._thread:
            return  # whoever else predicts with this network now
        if isinstance(layer, Branches):
            made, given = output
        else:
            made, given = output.flatten(1), (args or tuple(kwargs.values()))[0].flatten(1)
            if given.shape[1:] != (layer.in_features,):
                return  # called for many places of a sample
        # What comes after may work in place.
        self._calls.append(_Call(layer, given.clone(), made.clone()))

    def _find(self, _, args: tuple, output: tuple[Tensor, Tensor | None]) -> None:
        """Find the calls that made the scores of a batch."""
        if get_ident() != self._thread:
            return
        scores, calls = output[0], self._calls
        self._calls = []
        of_targets = scores.split(self._network.layout.n_classes, 1)
        found = _makers(calls, [scores]) or _makers(calls, of_targets)
        layers = [call.layer for call in found]
        if not found or (self._layers and layers != self._layers):
            raise ValueError(
                "The last layer must be linear: the scores that the module returns must be, as "
                "they are, the output of an nn.Linear layer (of several targets also of one for "
                "each, all equally wide) or of sk_crl.networks.Branches; they are not, in "
                f"{type(self._network.network).__name__}."
            )
        self._layers = layers
        given = [call.given for call in found]
        is_shared = all(torch.equal(given[0], other) for other in given[1:])
        self._inputs.append((given[0] if is_shared else torch.stack(given, 1)).float().cpu())


def _makers(calls: list[_Call], parts: Sequence[Tensor]) -> list[_Call]:
    """Find the call that made each of these scores; none unless all are found."""
    found = []
    for scores in parts:
        made = [c for c in calls if c.made.shape == scores.shape and _same(c.made, scores)]
        found += made[-1:]
    widths = {call.given.shape[1:] for call in found}
    return found if len(found) == len(parts) and len(widths) == 1 else []


def _same(made: Tensor, scores: Tensor) -> bool:
    """Whether all numbers are the same, those that are none included."""
    return torch.allclose(made.to(scores.dtype), scores, rtol=0, atol=0, equal_nan=True)


def _weights(layer: nn.Linear | Branches) -> tuple[Tensor, Tensor]:
    """List a layer's weights and biases in the order of its scores."""
    if isinstance(layer, Branches):
        weight = layer.layout.unpad(layer.weight.permute(2, 0, 1)).t()
        return weight, layer.layout.unpad(layer.bias.permute(2, 0, 1))[0]
    bias = layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias
    return layer.weight, bias
