"""The convolutional network of TensorFlow's tutorial on CIFAR-10."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl._checks import check_real
from sk_crl.networks._image_network import ImageNetwork

LARGEST_MAP = 8  # height and width before the first fully connected layer


class LocalResponseNorm(nn.Module):
    r"""Local response normalization over nine channels, see `CifarNet`.

    It is ``nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)``. That one sums neighbours by
    pooling over channels, which takes longer than the convolutions beside it; a convolution of 1×1
    with a band of ones is a product of matrices.

    Parameters
    ----------
    n_channels : int
        Number of channels.
    """

    band: Tensor

    def __init__(self, n_channels: int):
        super().__init__()
        channel = torch.arange(n_channels)
        band = ((channel - channel[:, None]).abs() <= 4).to(torch.get_default_dtype())
        self.register_buffer("band", band[:, :, None, None], persistent=False)

    def forward(self, X: Tensor) -> Tensor:
        """Divide every channel by what it and its neighbours have at a pixel."""
        total = F.conv2d(X.square(), self.band)
        root = (1 + 0.001 / 9 * total).rsqrt()
        return X * (root * root.sqrt())  # to the power of -0.75, by faster functions


class CifarNet(ImageNetwork):
    r"""Two convolutions of 5×5 and two fully connected layers.

    Convolution 5×5 to 64 channels, max-pooling 3/2, local response normalization; convolution 5×5
    to 64, local response normalization, max-pooling 3/2; 384 units, dropout, 192 units. It has
    1,756,426 weights for images of 3×32×32 and 10 classes. Maps of images larger than 32 × 32 are
    averaged to 8 × 8 before the first fully connected layer, so that the network does not grow.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    branch_units : int or sequence of int, default=64
        For several targets: widths of the layers that each has of its own (see `Branches`; the
        width is our choice). 0 for none.
    dropout : float, default=0.5
        Dropout after the layer of 384 units, in [0, 1).
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
    Local response normalization divides what channel :math:`c` has at a pixel by

    .. math:: \Big(1 + \frac{0.001}{9} \sum_{|c' - c| \le 4} x_{c'}^2\Big)^{0.75}

    Dong, Gong and Zhu train it on CIFAR-100 with lr 0.1, momentum 0.9, weight decay 5e-4 and
    batches of 256 for 200 epochs. With local response normalization lr 0.1 can diverge: start
    lower, or take 0.01, as in ``optimizer="sgd", lr=0.01, optimizer__momentum=0.9,
    optimizer__weight_decay=5e-4, batch_size=256, max_epochs=200``.

    References
    ----------
    A. Krizhevsky, I. Sutskever and G. E. Hinton. ImageNet Classification with Deep Convolutional
    Neural Networks. NIPS 2012, section 3.3 (the normalization).

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import CifarNet
    >>> scores, feature = CifarNet((3, 32, 32), n_classes=10)(torch.zeros(2, 3, 32, 32))
    >>> scores.shape, feature.shape
    (torch.Size([2, 10]), torch.Size([2, 192]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        branch_units: int | Sequence[int] = 64,
        dropout: float = 0.5,
        weights: str | PathLike | None = None,
    ):
        super().__init__(input_shape, n_classes)
        check_real("dropout", dropout, 0, 1, "[)")
        # Padded as in the original: half the size, rounded up.
        self._map = [min(-(-side // 4), LARGEST_MAP) for side in input_shape[1:]]
        self.conv1 = nn.Conv2d(input_shape[0], 64, 5, padding=2)
        self.conv2 = nn.Conv2d(64, 64, 5, padding=2)
        self.norm = LocalResponseNorm(64)
        self.fc1 = nn.Linear(64 * self._map[0] * self._map[1], 384)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(384, 192)
        self.head = self._make_head(192, branch_units)
        self._initialize(weights)

    def _trunk(self, X: Tensor) -> Tensor:
        maps = F.relu(self.conv1(X), inplace=True)
        maps = self.norm(F.max_pool2d(maps, 3, 2, 1))
        maps = self.norm(F.relu(self.conv2(maps), inplace=True))
        maps = F.max_pool2d(maps, 3, 2, 1)
        if list(maps.shape[2:]) != self._map:
            maps = F.adaptive_avg_pool2d(maps, self._map)
        hidden = self.dropout(F.relu(self.fc1(maps.flatten(1)), inplace=True))
        return F.relu(self.fc2(hidden), inplace=True)
