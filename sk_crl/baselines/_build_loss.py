"""From the `loss` parameter to a loss."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from numpy.typing import NDArray
from torch import nn

from sk_crl._building import building_arguments, names_of_settings
from sk_crl._names import unknown_name
from sk_crl.baselines._losses import (
    BalancedSoftmaxLoss,
    ClassBalancedLoss,
    FocalLoss,
    LDAMLoss,
)

LOSSES: dict[str, type[nn.Module]] = {
    "focal": FocalLoss,
    "class_balanced": ClassBalancedLoss,
    "ldam": LDAMLoss,
    "balanced_softmax": BalancedSoftmaxLoss,
}
CORRECTING = ("class_balanced", "ldam", "balanced_softmax")  # for the class prior


def loss_settings(loss: Any) -> list[str]:
    """List the settings to choose for a loss, as far as its signature names them."""
    return names_of_settings(LOSSES.get(loss) if isinstance(loss, str) else loss, ["class_counts"])


def build_loss(
    loss: str | Callable[..., nn.Module], class_counts: list[NDArray], settings: dict[str, Any]
) -> nn.Module:
    """Build a loss.

    Parameters
    ----------
    loss : str, nn.Module class or callable
        Name of one of our losses, or what is called to build one.
    class_counts : list of ndarray of shape (n_classes,)
        Number of training samples of every class, for every target; passed where the signature of
        `loss` asks for it.
    settings : dict
        What the user says, always passed.

    Returns
    -------
    nn.Module

    Raises
    ------
    ValueError
        For an unknown name, a setting that the loss does not take or that is outside its range,
        class counts among the settings, and a loss that has parameters to train.
    TypeError
        Where `loss` is nothing that builds an `nn.Module`.
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(unknown_name("loss", loss, LOSSES))
        loss = LOSSES[loss]
    if isinstance(loss, nn.Module) or not callable(loss):
        raise TypeError(
            f"loss must be a name ({', '.join(map(repr, LOSSES))}), an nn.Module class or a "
            f"callable that builds one; got the {type(loss).__name__} {loss!r}. Pass the class "
            "rather than an instance, so that it can be told the class counts."
        )
    if "class_counts" in settings:  # these could not follow what a batch sampler shows
        raise ValueError(
            "loss__class_counts cannot be set: a loss is told the class counts of the training "
            f"data, as batches show them; got {settings['class_counts']!r}. Leave it out; for "
            "other counts use a loss of your own that has them under another name."
        )
    built = loss(**building_arguments("loss", loss, {"class_counts": class_counts}, settings))
    if not isinstance(built, nn.Module):
        raise TypeError(f"loss must build an nn.Module; {loss!r} built {built!r}.")
    if any(p.requires_grad for p in built.parameters()):
        raise ValueError(
            f"loss must have no parameters to train, since the network alone learns; {loss!r} "
            f"built one with {', '.join(name for name, _ in built.named_parameters())}."
        )
    return deepcopy(built)  # a callable may return the same one every time
