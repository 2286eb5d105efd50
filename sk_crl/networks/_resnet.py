"""Residual networks: that of CIFAR with 32 layers, and that of ImageNet with 50.

Both are a few lines on blocks of PyTorch. torchvision has the second one alone, and its binaries
must match PyTorch's, version and build, which is much to ask of all users for sixty lines. The
names of the tensors are those of torchvision, so that its weights load.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl.networks._image_network import ImageNetwork


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut without parameters (option A of He et al.).

    Where the number of channels changes, the shortcut takes every second pixel and adds channels of
    zeros.

    Parameters
    ----------
    n_in, n_out : int
        Channels; the block strides where they differ.
    """

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        stride = 1 if n_in == n_out else 2
        self.n_added = n_out - n_in
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)

    def forward(self, X: Tensor) -> Tensor:
        """Return what the convolutions add to the shortcut, and the shortcut."""
        inner = F.relu(self.bn1(self.conv1(X)), inplace=True)
        return F.relu(self.bn2(self.conv2(inner)) + self.shortcut(X), inplace=True)

    def shortcut(self, X: Tensor) -> Tensor:
        """Bring the input into the shape of the output."""
        if not self.n_added:
            return X
        before = self.n_added // 2
        return F.pad(X[:, :, ::2, ::2], (0, 0, 0, 0, before, self.n_added - before))


class Bottleneck(nn.Module):
    """Convolutions of 1×1, 3×3 and 1×1 beside a shortcut; the 3×3 one strides.

    Parameters
    ----------
    n_in : int
        Channels of the input.
    width : int
        Channels of the 3×3 convolution; the output has four times as many.
    stride : int
        Stride.
    """

    def __init__(self, n_in: int, width: int, stride: int):
        super().__init__()
        n_out = 4 * width
        self.conv1 = nn.Conv2d(n_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.downsample: nn.Module | None = None
        if n_in != n_out:
            projection = nn.Conv2d(n_in, n_out, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(n_out))

    def forward(self, X: Tensor) -> Tensor:
        """Return what the convolutions add to the shortcut, and the shortcut."""
        inner = F.relu(self.bn1(self.conv1(X)), inplace=True)
        inner = F.relu(self.bn2(self.conv2(inner)), inplace=True)
        shortcut = X if self.downsample is None else self.downsample(X)
        return F.relu(self.bn3(self.conv3(inner)) + shortcut, inplace=True)


class ResNet32(ImageNetwork):
    """Residual network of CIFAR with 32 layers.

    Three stages of five blocks with 16, 32 and 64 channels, shortcuts without parameters (option
    A), global average pooling: 464,154 weights for 10 classes and 470,004 for 100.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    branch_units : int or sequence of int, default=64
        For several targets: widths of the layers that each has of its own (see `Branches`; the
        width is our choice). 0 for none.
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
    Dong, Gong and Zhu train it on CIFAR-100 with lr 0.1, momentum 0.9, weight decay 5e-4 and
    batches of 256 for 200 epochs: ``optimizer="sgd", lr=0.1, optimizer__momentum=0.9,
    optimizer__weight_decay=5e-4, batch_size=256, max_epochs=200``.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun. Deep Residual Learning for Image Recognition. CVPR 2016,
    section 4.2.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import ResNet32
    >>> scores, feature = ResNet32((3, 32, 32), n_classes=100)(torch.zeros(2, 3, 32, 32))
    >>> scores.shape, feature.shape
    (torch.Size([2, 100]), torch.Size([2, 64]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        branch_units: int | Sequence[int] = 64,
        weights: str | PathLike | None = None,
    ):
        super().__init__(input_shape, n_classes)
        self.conv1 = nn.Conv2d(input_shape[0], 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for stage, (n_in, n_out) in enumerate([(16, 16), (16, 32), (32, 64)], start=1):
            blocks = [BasicBlock(n_in, n_out), *(BasicBlock(n_out, n_out) for _ in range(4))]
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.fc = self._make_head(64, branch_units)
        self._initialize(weights)

    def _trunk(self, X: Tensor) -> Tensor:
        maps = F.relu(self.bn1(self.conv1(X)), inplace=True)
        return self.layer3(self.layer2(self.layer1(maps))).mean((2, 3))

    @property
    def _head(self) -> nn.Module:
        return self.fc


class ResNet50(ImageNetwork):
    """Residual network of ImageNet with 50 layers.

    25,557,032 weights for 1000 classes. It is that of torchvision, number by number: the 3×3
    convolutions stride, and its files of weights load.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    branch_units : int or sequence of int, default=64
        For several targets: widths of the layers that each has of its own (see `Branches`; the
        width is our choice). 0 for none.
    weights : str or path-like, optional
        File of weights to start from, see `load_weights`: torchvision's, for instance. The images
        must then be scaled as those that the weights were trained on.

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
    Dong, Gong and Zhu train it on DeepFashion from scratch with lr 0.01, weight decay 4e-5 and
    batches of 64 for 141 epochs: ``optimizer="sgd", lr=0.01, optimizer__weight_decay=4e-5,
    batch_size=64, max_epochs=141``. They name no momentum.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun. Deep Residual Learning for Image Recognition. CVPR 2016.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import ResNet50
    >>> scores, features = ResNet50((3, 32, 32), n_classes=(2, 5))(torch.zeros(2, 3, 32, 32))
    >>> scores.shape, features.shape
    (torch.Size([2, 7]), torch.Size([2, 2, 64]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        branch_units: int | Sequence[int] = 64,
        weights: str | PathLike | None = None,
    ):
        super().__init__(input_shape, n_classes)
        self.conv1 = nn.Conv2d(input_shape[0], 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        n_in = 64
        for stage, n_blocks in enumerate([3, 4, 6, 3], start=1):
            width = 32 * 2**stage
            blocks = [Bottleneck(n_in, width, stride=1 if stage == 1 else 2)]
            n_in = 4 * width
            blocks += [Bottleneck(n_in, width, stride=1) for _ in range(n_blocks - 1)]
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.fc = self._make_head(n_in, branch_units)
        self._initialize(weights)

    def _trunk(self, X: Tensor) -> Tensor:
        maps = F.relu(self.bn1(self.conv1(X)), inplace=True)
        maps = F.max_pool2d(maps, 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(maps)))).mean((2, 3))

    @property
    def _head(self) -> nn.Module:
        return self.fc
