"""Networks on units of a network in network: MTCT, DARN and DDAN."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from torch import Tensor, nn

from sk_crl._checks import check_boolean, check_integer, check_real
from sk_crl.networks._image_network import ImageNetwork, check_widths, convolution

N_UNITS = 5


class NINNetwork(ImageNetwork):
    """Base of networks on five NIN units, shared layers, and a branch for every target."""

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        widths: Sequence[int],
        shared_units: int,
        branch_units: int | Sequence[int],
        dropout: float,
        batch_norm: bool,
        weights: str | PathLike | None,
    ):
        super().__init__(input_shape, n_classes)
        check_widths(widths, N_UNITS, "units")
        check_real("dropout", dropout, 0, 1, "[)")
        check_boolean("batch_norm", batch_norm)
        layers: list[nn.Module] = []
        n_in = input_shape[0]
        for place, width in enumerate(map(int, widths)):
            if place:
                layers.append(nn.MaxPool2d(2))
            layers += convolution(n_in, width, 3 if place else 5, batch_norm)
            layers += convolution(width, width, 1, batch_norm)
            layers += convolution(width, width, 1, batch_norm)
            n_in = width
        self.trunk = nn.Sequential(*layers)
        self.shared: nn.Module = nn.Identity()
        if shared_units:
            self.shared = nn.Sequential(
                nn.Linear(n_in, shared_units), nn.ReLU(inplace=True), nn.Dropout(dropout)
            )
        self.head = self._make_head(shared_units or n_in, branch_units, dropout, of_one=True)
        self._initialize(weights)

    def _trunk(self, X: Tensor) -> Tensor:
        return self.shared(self.trunk(X).mean((2, 3)))


class MTCT(NINNetwork):
    """Five NIN units that all targets share, and three fully connected layers for each.

    A unit is a convolution of 5×5 (in the first unit) or 3×3 and two of 1×1; between units maps are
    pooled to half their size, after the last they are averaged. All widths, the pooling and the
    sizes of convolutions are our choice, for they are not public. The original starts from weights
    of ImageNet and learns from a second domain first; batch normalization stands in, with which
    fifteen convolutions train from scratch.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    widths : sequence of int, default=(64, 128, 192, 256, 256)
        Width of each of the five units.
    branch_units : int or sequence of int, default=(128, 64)
        Widths of the layers that every target has of its own, a single one too (see `Branches`),
        but for the scores.
    dropout : float, default=0.0
        Dropout of these layers, in [0, 1).
    batch_norm : bool, default=True
        Whether convolutions are normalized.
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
    Dong, Gong and Zhu train it on ImageNet with lr 0.01, and then on X-Domain with lr 0.001,
    momentum 0.9, weight decay 5e-4 and batches of 128 for 256 epochs: ``optimizer="sgd", lr=0.001,
    optimizer__momentum=0.9, optimizer__weight_decay=5e-4, batch_size=128, max_epochs=256``; from
    scratch with ``lr=0.01``.

    References
    ----------
    Q. Dong, S. Gong and X. Zhu. Multi-task Curriculum Transfer Deep Learning of Clothing
    Attributes. WACV 2017.

    M. Lin, Q. Chen and S. Yan. Network In Network. ICLR 2014.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import MTCT
    >>> scores, features = MTCT((3, 32, 32), n_classes=(2, 5, 3))(torch.zeros(2, 3, 32, 32))
    >>> scores.shape, features.shape
    (torch.Size([2, 10]), torch.Size([2, 3, 64]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        widths: Sequence[int] = (64, 128, 192, 256, 256),
        branch_units: int | Sequence[int] = (128, 64),
        dropout: float = 0.0,
        batch_norm: bool = True,
        weights: str | PathLike | None = None,
    ):
        super().__init__(
            input_shape, n_classes, widths, 0, branch_units, dropout, batch_norm, weights
        )


class DARN(NINNetwork):
    """Five NIN units and a tree of fully connected layers, after the networks of DARN.

    The root of the tree is a layer that all targets share, and every target has a branch of its
    own. This is one of the two branches of the original, that for attributes, trained by its
    loss; the second domain, to whose images the original retrieves those of the first, cannot be
    had from labels, and nothing stands in for it. The units are those of `MTCT`; all widths are our
    choice, for they are not public, and so is batch normalization.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    widths : sequence of int, default=(64, 128, 192, 256, 256)
        Width of each of the five units.
    root_units : int, default=512
        Width of the layer that all targets share.
    branch_units : int or sequence of int, default=(128, 64)
        Widths of the layers that every target has of its own, a single one too (see `Branches`),
        but for the scores.
    dropout : float, default=0.0
        Dropout of fully connected layers, in [0, 1).
    batch_norm : bool, default=True
        Whether convolutions are normalized.
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
    Dong, Gong and Zhu do not say how they train it; the settings of `MTCT`, beside which they show
    it, are a fair choice.

    References
    ----------
    J. Huang, R. S. Feris, Q. Chen and S. Yan. Cross-domain Image Retrieval with a Dual
    Attribute-aware Ranking Network. ICCV 2015.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import DARN
    >>> scores, features = DARN((3, 32, 32), n_classes=(2, 5, 3))(torch.zeros(2, 3, 32, 32))
    >>> scores.shape, features.shape
    (torch.Size([2, 10]), torch.Size([2, 3, 64]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        widths: Sequence[int] = (64, 128, 192, 256, 256),
        root_units: int = 512,
        branch_units: int | Sequence[int] = (128, 64),
        dropout: float = 0.0,
        batch_norm: bool = True,
        weights: str | PathLike | None = None,
    ):
        check_integer("root_units", root_units, 1)
        super().__init__(
            input_shape, n_classes, widths, root_units, branch_units, dropout, batch_norm, weights
        )


class DDAN(NINNetwork):
    """Five NIN units, a layer that would align two domains, and attribute layers, after DDAN.

    The original has two branches of units, one for every domain, and a cost that brings what they
    make of both domains together. With a single domain there is nothing to align: one branch and
    the layer that the cost would act on remain, and nothing stands in for the cost. The units are
    those of `MTCT`; all widths are our choice, for they are not public, and so is batch
    normalization.

    Parameters
    ----------
    input_shape : sequence of int
        Channels, height and width of an image; both at least 32.
    n_classes : int or sequence of int
        Number of classes; for several targets those of each.
    widths : sequence of int, default=(64, 128, 192, 256, 256)
        Width of each of the five units.
    alignment_units : int, default=256
        Width of the layer that would align.
    branch_units : int or sequence of int, default=64
        Widths of the layers that every target has of its own, a single one too (see `Branches`),
        but for the scores.
    dropout : float, default=0.0
        Dropout of fully connected layers, in [0, 1).
    batch_norm : bool, default=True
        Whether convolutions are normalized.
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
    Dong, Gong and Zhu do not say how they train it; the settings of `MTCT`, beside which they show
    it, are a fair choice.

    References
    ----------
    Q. Chen, J. Huang, R. Feris, L. M. Brown, J. Dong and S. Yan. Deep Domain Adaptation for
    Describing People Based on Fine-Grained Clothing Attributes. CVPR 2015.

    Examples
    --------
    >>> import torch
    >>> from sk_crl.networks import DDAN
    >>> scores, features = DDAN((3, 32, 32), n_classes=(2, 5, 3))(torch.zeros(2, 3, 32, 32))
    >>> scores.shape, features.shape
    (torch.Size([2, 10]), torch.Size([2, 3, 64]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int | Sequence[int],
        widths: Sequence[int] = (64, 128, 192, 256, 256),
        alignment_units: int = 256,
        branch_units: int | Sequence[int] = 64,
        dropout: float = 0.0,
        batch_norm: bool = True,
        weights: str | PathLike | None = None,
    ):
        check_integer("alignment_units", alignment_units, 1)
        super().__init__(
            input_shape,
            n_classes,
            widths,
            alignment_units,
            branch_units,
            dropout,
            batch_norm,
            weights,
        )
