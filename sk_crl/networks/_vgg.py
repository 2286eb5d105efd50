"""FashionNet, on the convolutions of VGG-16."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import torch.nn.functional as F
from torch import Tensor, nn

from sk_crl._checks import check_integer, check_real
from sk_crl.networks._image_network import ImageNetwork, convolution

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
MAP = 7  # height and width before the first fully connected layer


class FashionNet(ImageNetwork):
    """VGG-16 through its fourth stage, and the global branch, after FashionNet.

    The original has a second branch, pooled around landmarks, which Dong, Gong and Zhu leave out,
    and there are no landmarks here. What remains is VGG-16: 138,357,544 weights for 1000 classes,
    of which 14,714,688 in convolutions. The names of the tensors are those of torchvision's
    ``vgg16``, whose files of weights load.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    units : int, default=4096
        Width of both fully connected layers. Fewer make a smaller network, without the weights of
        VGG-16 there.
    branch_units : int or sequence of int, default=64
        For several targets: widths of the layers that each has of its own (see `Branches`; the
        width is our choice). 0 for none.
    dropout : float, default=0.5
        Dropout after the fully connected layers, in [0, 1).
    weights : str or path-like, optional
        File of weights to start from, see `load_weights`: those of torchvision's ``vgg16``, for
        instance. The images must then be scaled as those that the weights were trained on.

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
    Dong, Gong and Zhu do not say how they train it; the settings of `MTCT`, beside which they show
    it, are a fair choice. Without weights to start from it needs smaller steps, for nothing
    normalizes its thirteen convolutions.

    References
    ----------
    Z. Liu, P. Luo, S. Qiu, X. Wang and X. Tang. DeepFashion: Powering Robust Clothes Recognition
    and Retrieval with Rich Annotations. CVPR 2016.

    K. Simonyan and A. Zisserman. Very Deep Convolutional Networks for Large-Scale Image
    Recognition. ICLR 2015.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import FashionNet
    >>> network = FashionNet((3, 32, 32), n_classes=(2, 5), units=16)
    >>> scores, features = network(torch.zeros(2, 3, 32, 32))
    >>> scores.shape, features.shape
    (torch.Size([2, 7]), torch.Size([2, 2, 64]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        units: int = 4096,
        branch_units: int | Sequence[int] = 64,
        dropout: float = 0.5,
        weights: str | PathLike | None = None,
    ):
        super().__init__(input_shape, n_classes)
        check_integer("units", units, 1)
        check_real("dropout", dropout, 0, 1, "[)")
        n_in = input_shape[0]
        layers: list[nn.Module] = []
        for stage in WIDTHS:
            for width in stage:
                layers += convolution(n_in, width, 3)
                n_in = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        # By the places that the layers have in torchvision's list.
        self.classifier = nn.ModuleDict(
            {
                "0": nn.Linear(n_in * MAP**2, units),
                "3": nn.Linear(units, units),
                "6": self._make_head(units, branch_units),
            }
        )
        self.dropout = dropout
        self._initialize(weights)

    def _trunk(self, X: Tensor) -> Tensor:
        feature = F.adaptive_avg_pool2d(self.features(X), MAP).flatten(1)
        for place in ("0", "3"):
            feature = F.relu(self.classifier[place](feature), inplace=True)
            feature = F.dropout(feature, self.dropout, self.training)
        return feature

    @property
    def _head(self) -> nn.Module:
        return self.classifier["6"]
