"""A loss together with its gradient, with or without a graph."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Linearization(NamedTuple):
    """A loss, what it is a function of, and its gradient; from `ClassRectificationLoss.linearize`.

    Parameters
    ----------
    value : Tensor of shape () or (n_targets,)
        The loss, without a graph.
    tensors : tuple of Tensor
        What it is a function of, with the graphs that they came with. Where there is a loss for
        every target, they have shape (n_targets, ..., ...).
    gradients : tuple of Tensor
        Its derivatives by each of them; where there is a loss for every target, those of each
        target's loss by what is of that target.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.loss import ClassRectificationLoss
    >>> loss = ClassRectificationLoss(class_counts=[90, 10], alpha=0)
    >>> (labels,) = loss.prepare(torch.tensor([0, 1]), batch_size=2)
    >>> linear = loss.linearize(torch.zeros(2, 2), labels)
    >>> linear.value, linear.gradients[0]
    (tensor(0.6931), tensor([[-0.2500,  0.2500],
            [ 0.2500, -0.2500]]))
    """

    value: Tensor
    tensors: tuple[Tensor, ...]
    gradients: tuple[Tensor, ...]

    def attached(self) -> Tensor:
        """Return the loss with its graph, which can be differentiated once.

        Returns
        -------
        Tensor of the shape of `value`
        """
        if not torch.compiler.is_compiling():
            return _Attached.apply(self.value, *self.gradients, *self.tensors)
        # The same for Dynamo, which (in PyTorch 2.13) cannot trace a function that is given shapes
        # computed from `rho`. Each difference is 0.
        pairs = zip(self.tensors, self.gradients, strict=True)
        terms = [(tensor - tensor.detach()) * gradient for tensor, gradient in pairs]
        return self.value + sum(t.sum((1, 2)) if self.value.ndim else t.sum() for t in terms)

    def backward(self) -> None:
        """Accumulate the gradient in the leaves of the tensors' graphs.

        Raises
        ------
        ValueError
            Where no tensor has a graph.
        """
        pairs = zip(self.tensors, self.gradients, strict=True)
        with_graph = [(tensor, gradient) for tensor, gradient in pairs if tensor.requires_grad]
        if not with_graph:
            raise ValueError(
                "backward needs scores or features that require a gradient; got none. Take "
                "`gradients` as they are, or pass what a network has returned."
            )
        torch.autograd.backward(*zip(*with_graph, strict=True))


class _Attached(torch.autograd.Function):
    """A value whose gradient is known."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, *gradients_and_tensors: Tensor) -> Tensor:
        half = len(gradients_and_tensors) // 2
        ctx.gradients = gradients_and_tensors[:half]  # may be inference tensors: cannot be saved
        ctx.save_for_backward(*gradients_and_tensors[half:])
        return value.clone()

    @staticmethod
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor | None, ...]:
        factor = factor[:, None, None] if factor.ndim else factor
        pairs = list(zip(ctx.gradients, ctx.saved_tensors, strict=True))
        if torch.is_grad_enabled():  # with create_graph=True
            by_tensors = [_Once.apply(factor, gradient, tensor) for gradient, tensor in pairs]
        else:
            by_tensors = [factor * gradient for gradient, _ in pairs]
        return (None, *(None for _ in pairs), *by_tensors)


class _Once(torch.autograd.Function):
    """A gradient without a graph, which `once_differentiable` would hand on as a constant."""

    @staticmethod
    def forward(ctx: Any, factor: Tensor, gradient: Tensor, tensor: Tensor) -> Tensor:
        return factor * gradient

    @staticmethod
    def backward(ctx: Any, *by_gradient: Tensor) -> tuple[Tensor | None, ...]:
        raise RuntimeError(
            "The loss can be differentiated once: its gradient is computed without a graph. Leave "
            "create_graph=False."
        )
