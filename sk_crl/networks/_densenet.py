"""The densely connected network of CIFAR."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl._checks import check_real
from sk_crl.networks._image_network import ImageNetwork

GROWTH = 12
N_LAYERS = 12  # in each of three blocks; with three convolutions more and the scores, 40


class DenseLayer(nn.Module):
    """A 3×3 convolution whose maps come beside those that it is given."""

    def __init__(self, n_in: int, dropout: float):
        super().__init__()
        self.norm = nn.BatchNorm2d(n_in)
        self.conv = nn.Conv2d(n_in, GROWTH, 3, padding=1, bias=False)
        self.dropout = dropout

    def forward(self, X: Tensor) -> Tensor:
        """Return the maps given, and `GROWTH` more."""
        added = self.conv(F.relu(self.norm(X), inplace=True))
        if self.dropout:
            added = F.dropout(added, self.dropout, self.training)
        return torch.cat([X, added], 1)


class DenseNet40(ImageNetwork):
    """Densely connected network of CIFAR, of depth 40 and growth 12.

    Three blocks of twelve layers; between them a 1×1 convolution, and pooling by averages. No
    bottlenecks and no compression. 1,019,722 weights for 10 classes, 1,060,132 for 100.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    branch_units : int or sequence of int, default=64
        For several targets: widths of the layers that each has of its own (see `Branches`; the
        width is our choice). 0 for none.
    dropout : float, default=0.0
        Dropout after every convolution but the first, in [0, 1). Its authors take 0.2 where images
        are not flipped and cropped.
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
    Dong, Gong and Zhu train it on CIFAR-100 with lr 0.1, momentum 0.9, weight decay 5e-4 and
    batches of 256 for 200 epochs: ``optimizer="sgd", lr=0.1, optimizer__momentum=0.9,
    optimizer__weight_decay=5e-4, batch_size=256, max_epochs=200``.

    References
    ----------
    G. Huang, Z. Liu, L. van der Maaten and K. Q. Weinberger. Densely Connected Convolutional
    Networks. CVPR 2017.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import DenseNet40
    >>> scores, feature = DenseNet40((3, 32, 32), n_classes=100)(torch.zeros(2, 3, 32, 32))
    >>> scores.shape, feature.shape
    (torch.Size([2, 100]), torch.Size([2, 448]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        branch_units: int | Sequence[int] = 64,
        dropout: float = 0.0,
        weights: str | PathLike | None = None,
    ):
        super().__init__(input_shape, n_classes)
        check_real("dropout", dropout, 0, 1, "[)")
        width = 16
        layers: list[nn.Module] = [nn.Conv2d(input_shape[0], width, 3, padding=1, bias=False)]
        for block in range(3):
            if block:
                layers += [
                    nn.BatchNorm2d(width),
                    nn.ReLU(inplace=True),
                    nn.Conv2d(width, width, 1, bias=False),
                    *([nn.Dropout(dropout)] if dropout else []),
                    nn.AvgPool2d(2),
                ]
            for _ in range(N_LAYERS):
                layers.append(DenseLayer(width, dropout))
                width += GROWTH
        self.trunk = nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.head = self._make_head(width, branch_units)
        self._initialize(weights)

    def _trunk(self, X: Tensor) -> Tensor:
        return self.trunk(X).mean((2, 3))
