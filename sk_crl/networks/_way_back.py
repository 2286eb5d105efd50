"""The default network's gradient by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sk_crl.networks._mlp import MLP


def knows_way_back(network: nn.Module) -> bool:
    """Whether `with_way_back` serves: for an MLP without dropout, and without branches."""
    return type(network) is MLP and isinstance(network.head, nn.Linear) and not network.dropout


def with_way_back(network: MLP, X: Tensor) -> tuple[Tensor, Callable[[Tensor], None]]:
    """Compute scores, and the way back from them, by hand; both without a graph.

    Both are to be called in `torch.inference_mode`, which costs as much as a product to enter.

    In a network as small as this, recording a graph and walking it back costs more than the
    products. With the output :math:`z = W x + b` of a layer and the derivative :math:`g` of a loss
    by it, the derivatives are :math:`g x^T` by :math:`W`, :math:`g` by :math:`b` and :math:`W^T g`
    by :math:`x`; through the ReLU that made :math:`x` the last passes where :math:`x > 0`.

    Parameters
    ----------
    network : MLP
        A network that `knows_way_back`.
    X : Tensor of shape (n_samples, ...)
        Samples.

    Returns
    -------
    scores : Tensor of shape (n_samples, n_classes)
        As from the network, without a graph.
    way_back : callable
        Takes the derivatives of a loss by the scores, and writes those by the parameters into
        their ``grad``, which must be there. It uses up what it has kept, so it can be called once.
    """
    layers, inputs = [*network.hidden, network.head], [X.flatten(1)]
    for layer in network.hidden:
        inputs.append(torch.addmm(layer.bias, inputs[-1], layer.weight.t()).relu_())
    scores = torch.addmm(network.head.bias, inputs[-1], network.head.weight.t())

    def way_back(gradient: Tensor) -> None:
        while layers:
            layer, given = layers.pop(), inputs.pop()
            torch.mm(gradient.t(), given, out=layer.weight.grad)
            torch.sum(gradient, 0, out=layer.bias.grad)
            if layers:  # in place, for a product with booleans takes five times as long
                gradient = torch.mm(gradient, layer.weight).mul_(given.gt_(0))

    return scores, way_back
