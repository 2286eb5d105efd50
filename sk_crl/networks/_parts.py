"""Networks that treat the parts of an image apart: PANDA and ANet."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl._checks import check_integer, check_real
from sk_crl.networks._image_network import ImageNetwork, check_widths, convolution

# Parts of an image, as shares of its height: from, to. All are as wide as the image.
PARTS = ((0.0, 1.0), (0.0, 0.5), (0.25, 0.75), (0.5, 1.0))
PART_SIZE = 56  # height and width that a part is brought to


class PANDA(ImageNetwork):
    """A small network for every part of the image, and a linear output on all of them, after PANDA.

    The original finds the parts of a person by poselets, for which there are no labels here; fixed
    regions stand in for them: the whole image, its upper, its middle and its lower half, each
    brought to 56 × 56 pixels. A network is four convolutions of 5×5 and 3×3, with pooling, and a
    fully connected layer. The original trains a linear SVM for every attribute on what the networks
    make of all parts; a linear output layer for every target, trained with the networks, stands in
    for it. Regions and widths are our choice.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    width : int, default=64
        Channels of the convolutions.
    part_units : int, default=128
        Width of the fully connected layer of every part.
    weights : str or path-like, optional
        File of weights to start from, see `load_weights`.

    Attributes
    ----------
    load_report : LoadReport or None
        What was found in the file of weights.

    Raises
    ------
    ValueError
        For what is no image, images that are too small, and widths that are no positive integers.

    Notes
    -----
    Dong, Gong and Zhu do not say how they train it; the settings of `DeepID2`, beside which they
    show it, are a fair choice.

    References
    ----------
    N. Zhang, M. Paluri, M. Ranzato, T. Darrell and L. Bourdev. PANDA: Pose Aligned Networks for
    Deep Attribute Modeling. CVPR 2014.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import PANDA
    >>> scores, feature = PANDA((3, 64, 32), n_classes=(2, 2, 3))(torch.zeros(2, 3, 64, 32))
    >>> scores.shape, feature.shape
    (torch.Size([2, 7]), torch.Size([2, 512]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        width: int = 64,
        part_units: int = 128,
        weights: str | PathLike | None = None,
    ):
        super().__init__(input_shape, n_classes)
        check_integer("width", width, 1)
        check_integer("part_units", part_units, 1)
        height = input_shape[1]
        self._rows = [slice(round(start * height), round(end * height)) for start, end in PARTS]
        self.parts = nn.ModuleList(
            nn.Sequential(
                *convolution(input_shape[0], width, 5),
                nn.MaxPool2d(2),
                *convolution(width, width, 3),
                nn.MaxPool2d(2),
                *convolution(width, width, 3),
                nn.MaxPool2d(2),
                *convolution(width, width, 3),
                nn.Flatten(),
                nn.Linear(width * (PART_SIZE // 8) ** 2, part_units),
                nn.ReLU(inplace=True),
            )
            for _ in PARTS
        )
        self.head = self._make_head(len(PARTS) * part_units, 0)
        self._initialize(weights)

    def _trunk(self, X: Tensor) -> Tensor:
        size = (PART_SIZE, PART_SIZE)
        features = [
            network(F.interpolate(X[:, :, rows], size, mode="bilinear", antialias=True))
            for network, rows in zip(self.parts, self._rows, strict=True)
        ]
        return torch.cat(features, 1)


class LocallyShared(nn.Module):
    """A 3×3 convolution whose weights differ between the quarters of an image.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    """

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.quarters = nn.ModuleList(nn.Conv2d(n_in, n_out, 3) for _ in range(4))

    def forward(self, X: Tensor) -> Tensor:
        """Convolve every quarter with its own weights; it sees its neighbours' pixels beside it."""
        top, left = X.shape[2] // 2, X.shape[3] // 2
        padded = F.pad(X, (1, 1, 1, 1))
        halves = (padded[:, :, : top + 2], padded[:, :, top:])
        given = [part for half in halves for part in (half[..., : left + 2], half[..., left:])]
        made = [convolve(part) for convolve, part in zip(self.quarters, given, strict=True)]
        return torch.cat([torch.cat(made[:2], 3), torch.cat(made[2:], 3)], 2)


class ANet(ImageNetwork):
    """An AlexNet-like network with locally shared filters for faces, after ANet.

    Two convolutions, two more whose weights differ between the quarters of the image, and a fully
    connected layer. The original is trained to tell identities first and tuned to attributes then,
    finds the face by a network of its own (LNet), and has a linear SVM for every attribute. Neither
    identities nor places of faces are there: it learns from scratch (`weights` takes what you have)
    and sees the whole image, and a linear output layer for every target, trained with the network,
    stands in for the SVM. All sizes are our choice.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    widths : sequence of int, default=(64, 128, 192, 192)
        Channels of the four convolutions.
    units : int, default=512
        Width of the fully connected layer, the feature.
    dropout : float, default=0.5
        Dropout of the feature, in [0, 1).
    weights : str or path-like, optional
        File of weights to start from, see `load_weights`.

    Attributes
    ----------
    load_report : LoadReport or None
        What was found in the file of weights.

    Raises
    ------
    ValueError
        For what is no image, images that are too small, and settings outside their range.

    Notes
    -----
    Dong, Gong and Zhu do not say how they train it; the settings of `DeepID2`, beside which they
    show it, are a fair choice.

    References
    ----------
    Z. Liu, P. Luo, X. Wang and X. Tang. Deep Learning Face Attributes in the Wild. ICCV 2015.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import ANet
    >>> scores, feature = ANet((3, 64, 64), n_classes=(2, 2, 3))(torch.zeros(2, 3, 64, 64))
    >>> scores.shape, feature.shape
    (torch.Size([2, 7]), torch.Size([2, 512]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        widths: Sequence[int] = (64, 128, 192, 192),
        units: int = 512,
        dropout: float = 0.5,
        weights: str | PathLike | None = None,
    ):
        super().__init__(input_shape, n_classes)
        check_widths(widths, 4, "convolutions")
        check_integer("units", units, 1)
        check_real("dropout", dropout, 0, 1, "[)")
        first, second, third, fourth = map(int, widths)
        self.trunk = nn.Sequential(
            *convolution(input_shape[0], first, 5, stride=2),
            nn.MaxPool2d(2),
            *convolution(first, second, 5),
            nn.MaxPool2d(2),
            LocallyShared(second, third),
            nn.ReLU(inplace=True),
            LocallyShared(third, fourth),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(16 * fourth, units),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )
        self.head = self._make_head(units, 0)
        self._initialize(weights)

    def _trunk(self, X: Tensor) -> Tensor:
        return self.trunk(X)
