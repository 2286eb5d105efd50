"""DeepID2, a network for faces."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl.networks._image_network import ImageNetwork


class DeepID2(ImageNetwork):
    """Four convolutions, a layer of 160 units on the last two of them, and a branch per target.

    Convolutions of 4×4, 3×3, 3×3 and 2×2 to 20, 40, 60 and 80 channels, pooling after the first
    three. The 160 units see both the third pooling and the fourth convolution. The original is for
    images of 3×55×47; the layer of 160 units grows with larger ones. Its third convolution shares
    weights in parts of the image only, and its fourth none; plain convolutions stand in for both.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    branch_units : int or sequence of int, default=64
        Widths of the layers that every target has of its own, a single one too (see `Branches`).
        The paper's FC2 has 64. 0 for none.
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
    Dong, Gong and Zhu train it on CelebA from scratch with lr 0.001, momentum 0.9, weight decay
    5e-4 and batches of 256 for 921 epochs: ``optimizer="sgd", lr=0.001, optimizer__momentum=0.9,
    optimizer__weight_decay=5e-4, batch_size=256, max_epochs=921``.

    References
    ----------
    Y. Sun, Y. Chen, X. Wang and X. Tang. Deep Learning Face Representation by Joint
    Identification-Verification. NIPS 2014.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import DeepID2
    >>> scores, features = DeepID2((3, 55, 47), n_classes=[2] * 40)(torch.zeros(2, 3, 55, 47))
    >>> scores.shape, features.shape
    (torch.Size([2, 80]), torch.Size([2, 40, 64]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        branch_units: int | Sequence[int] = 64,
        weights: str | PathLike | None = None,
    ):
        super().__init__(input_shape, n_classes)
        self.conv1 = nn.Conv2d(input_shape[0], 20, 4)
        self.conv2 = nn.Conv2d(20, 40, 3)
        self.conv3 = nn.Conv2d(40, 60, 3)
        self.conv4 = nn.Conv2d(60, 80, 2)
        height, width = (_third_pooling(side) for side in input_shape[1:])
        n_inputs = 60 * height * width + 80 * (height - 1) * (width - 1)
        self.fc1 = nn.Linear(n_inputs, 160)
        self.head = self._make_head(160, branch_units, of_one=True)
        self._initialize(weights)

    def _trunk(self, X: Tensor) -> Tensor:
        maps = X
        for convolve in (self.conv1, self.conv2, self.conv3):
            maps = F.max_pool2d(F.relu(convolve(maps), inplace=True), 2)
        last = F.relu(self.conv4(maps), inplace=True)
        both = torch.cat([maps.flatten(1), last.flatten(1)], 1)
        return F.relu(self.fc1(both), inplace=True)


def _third_pooling(side: int) -> int:
    """Height or width after three convolutions without padding, each halved."""
    for lost in (3, 2, 2):
        side = (side - lost) // 2
    return side
