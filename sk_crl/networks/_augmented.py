"""Pixels scaled, and in training flipped and cropped, before any network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl._checks import check_boolean, check_integer, check_real
from sk_crl.networks._build import build_network


class Augmented(nn.Module):
    """Any network for images, given scaled pixels and, in training, flipped and cropped ones.

    The standard augmentation of CIFAR: zeros are put around a scaled image, a random part of it as
    large as the image is cut out, and half of these are mirrored. It runs where the network runs,
    on a whole batch at once, and is left out in validation and prediction.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    network : str, nn.Module class or callable, default="resnet32"
        The network, as `CRLClassifier` takes it for `module`.
    flip : bool, default=True
        Whether to mirror images.
    pad : int, default=4
        Zeros on every side; 0 to crop nothing.
    mean, std : float or sequence of float, default=127.5, 63.75
        What is subtracted from pixels, and what they are divided by then, for all channels or for
        each. The defaults suit pixels from 0 to 255.
    **settings
        Parameters of the network.

    Attributes
    ----------
    network : nn.Module
        The network.

    Raises
    ------
    ValueError
        For samples that are no images, and settings outside their range. And where the network
        raises it.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_crl import CRLClassifier
    >>> from sk_crl.networks import Augmented
    >>> X = np.random.default_rng(0).integers(0, 256, (40, 3, 32, 32), dtype=np.uint8)
    >>> y = np.repeat([0, 1], [30, 10])
    >>> model = CRLClassifier(Augmented, module__network="cifarnet", max_epochs=1)
    >>> model.fit(X, y).predict_proba(X[:2]).shape
    (2, 2)
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        network: str | Callable[..., nn.Module] = "resnet32",
        flip: bool = True,
        pad: int = 4,
        mean: float | Sequence[float] = 127.5,
        std: float | Sequence[float] = 63.75,
        **settings: Any,
    ):
        super().__init__()
        shape = tuple(input_shape)
        if len(shape) != 3:
            raise ValueError(
                "Augmented takes images, of shape (channels, height, width); got samples of shape "
                f"{shape}."
            )
        check_boolean("flip", flip)
        check_integer("pad", pad, 0)
        self.flip, self.pad = flip, pad
        for name, given, low in (("mean", mean, -math.inf), ("std", std, 0)):
            self.register_buffer(name, _of_channels(name, given, low, shape[0]), persistent=False)
        told = {"n_features": math.prod(shape), "input_shape": shape, "n_classes": n_classes}
        self.network = build_network(network, told, settings)

    def forward(self, X: Tensor) -> Any:
        """Compute what the network returns.

        Parameters
        ----------
        X : Tensor of shape (n_samples, channels, height, width)
            Images.

        Returns
        -------
        Tensor or tuple of Tensor
            Scores or, from a network that has features, scores and these.
        """
        X = (X - self.mean) / self.std
        if self.training and (self.flip or self.pad):
            X = self._augmented(X)
        return self.network(X)

    def _augmented(self, X: Tensor) -> Tensor:
        """Crop and mirror every image in a way of its own."""
        n_samples, n_channels, height, width = X.shape
        device, pad = X.device, self.pad
        row, column = torch.arange(height, device=device), torch.arange(width, device=device)
        top, left = torch.randint(2 * pad + 1, (2, n_samples, 1), device=device)
        rows, columns = top + row, left + column
        if self.flip:
            is_mirrored = torch.randint(2, (n_samples, 1), device=device, dtype=torch.bool)
            columns = torch.where(is_mirrored, columns.flip(1), columns)
        sample = torch.arange(n_samples, device=device)[:, None, None, None]
        channel = torch.arange(n_channels, device=device)[:, None, None]
        padded = F.pad(X, (pad,) * 4)
        return padded[sample, channel, rows[:, None, :, None], columns[:, None, None]]


def _of_channels(name: str, given: Any, low: float, n_channels: int) -> Tensor:
    """Check a number for all channels, or one for each; (n_channels, 1, 1)."""
    values = np.ravel(given).tolist()
    if len(values) not in (1, n_channels):
        raise ValueError(
            f"{name} must be a number, or one for each of {n_channels} channels; got {given!r}."
        )
    for value in values:
        check_real(name, value, low, math.inf, "()")
    return torch.tensor(values * (n_channels // len(values)), dtype=torch.float32)[:, None, None]
