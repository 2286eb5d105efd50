"""What our networks for images share."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from torch import Tensor, nn

from sk_crl._checks import check_integer
from sk_crl.networks._branches import Branches
from sk_crl.networks._weights import LoadReport, load_weights

SMALLEST = 32  # height and width of an image


class ImageNetwork(nn.Module):
    """Base of networks that make one feature of an image, and scores of it.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.

    Raises
    ------
    ValueError
        For what is no image, or one that is too small.
    """

    load_report: LoadReport | None = None

    def __init__(self, input_shape: Sequence[int], n_classes: int | Sequence[int]):
        super().__init__()
        name = type(self).__name__
        shape = tuple(input_shape)
        if len(shape) != 3 or min(shape) < 1 or min(shape[1:]) < SMALLEST:
            advice = ""
            if len(shape) == 3 and min(shape[:2]) >= SMALLEST:
                advice = " Put the channels first: X.transpose(0, 3, 1, 2)."
            raise ValueError(
                f"{name} takes images, of shape (channels, height, width) with height and width of "
                f"at least {SMALLEST}; got samples of shape {shape}.{advice}"
            )
        self._has_one_target = isinstance(n_classes, Integral)
        for n in [n_classes] if self._has_one_target else n_classes:
            check_integer("n_classes", n, 1)
        self._n_classes = (int(n_classes),) if self._has_one_target else tuple(map(int, n_classes))

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Compute scores and the feature before them.

        Parameters
        ----------
        X : Tensor of shape (n_samples, channels, height, width)
            Images.

        Returns
        -------
        scores : Tensor of shape (n_samples, n_classes)
            One score for every class, those of all targets side by side.
        feature : Tensor of shape (n_samples, d) or (n_samples, n_targets, d)
            Input of the last layer, shared by the targets or one for each.
        """
        feature = self._trunk(by_pixel(X))
        if not isinstance(self._head, Branches):
            return self._head(feature), feature
        scores, features = self._head(feature)
        return scores, features[:, 0] if self._has_one_target else features

    @abstractmethod
    def _trunk(self, X: Tensor) -> Tensor:
        """Make of images what the head is given, (n_samples, d)."""

    @property
    def _head(self) -> nn.Module:
        """The layers that targets do not share."""
        return self.head

    def _make_head(
        self,
        n_inputs: int,
        branch_units: int | Sequence[int],
        dropout: float = 0.0,
        *,
        of_one: bool = False,
    ) -> nn.Module:
        """Make the head: branches for several targets, for a single one only if `of_one`."""
        if not isinstance(branch_units, Sequence | np.ndarray):
            check_integer("branch_units", branch_units, 0)
        has_branches = not isinstance(branch_units, Integral) or branch_units > 0
        if has_branches and (of_one or not self._has_one_target):
            return Branches(n_inputs, self._n_classes, branch_units, dropout)
        return nn.Linear(n_inputs, sum(self._n_classes))

    def _initialize(self, weights: str | PathLike | None) -> None:
        """Draw the weights to start from, and read those of a file."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        if weights is None:
            return
        self.load_report = load_weights(self, weights)
        head = next(name for name, layer in self.named_modules() if layer is self._head)
        lacking = [*self.load_report.missing, *self.load_report.mismatched]
        if any(not name.startswith(f"{head}.") for name in lacking):
            warnings.warn(
                "Not all weights were found, even aside from those of the last layers.\n"
                f"{self.load_report}",
                stacklevel=3,
            )


def by_pixel(images: Tensor) -> Tensor:
    """Lay the channels of a pixel side by side in memory; all maps follow.

    Most networks train faster so on a CPU, and tensor cores of a GPU want it too. It is PyTorch's
    `torch.channels_last`, by steps that `torch.vmap` knows.
    """
    return images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def convolution(
    n_in: int, n_out: int, size: int, batch_norm: bool = False, **settings: Any
) -> list[nn.Module]:
    """List the layers of a convolution with ReLU; images keep their size unless it strides."""
    settings = {"padding": size // 2, "bias": not batch_norm} | settings
    norm = [nn.BatchNorm2d(n_out)] if batch_norm else []
    return [nn.Conv2d(n_in, n_out, size, **settings), *norm, nn.ReLU(inplace=True)]


def check_widths(widths: Any, n_widths: int, of: str) -> None:
    """Raise ValueError unless `widths` holds so many positive integers."""
    if not isinstance(widths, Sequence | np.ndarray) or len(widths) != n_widths:
        raise ValueError(f"widths must hold a width for each of {n_widths} {of}; got {widths!r}.")
    for width in widths:
        check_integer("widths", width, 1)
