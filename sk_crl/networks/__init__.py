"""Networks that return scores and the feature before them."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sk_crl.networks._augmented import Augmented
    from sk_crl.networks._branches import Branches
    from sk_crl.networks._cifarnet import CifarNet
    from sk_crl.networks._deepid2 import DeepID2
    from sk_crl.networks._densenet import DenseNet40
    from sk_crl.networks._mlp import MLP
    from sk_crl.networks._nin import DARN, DDAN, MTCT
    from sk_crl.networks._parts import PANDA, ANet
    from sk_crl.networks._resnet import ResNet32, ResNet50
    from sk_crl.networks._table import TableNetwork
    from sk_crl.networks._vgg import FashionNet
    from sk_crl.networks._weights import LoadReport, load_weights

__all__ = [
    "DARN",
    "DDAN",
    "MLP",
    "MTCT",
    "PANDA",
    "ANet",
    "Augmented",
    "Branches",
    "CifarNet",
    "DeepID2",
    "DenseNet40",
    "FashionNet",
    "LoadReport",
    "ResNet32",
    "ResNet50",
    "TableNetwork",
    "load_weights",
]

_HOME = {
    "DARN": "sk_crl.networks._nin",
    "DDAN": "sk_crl.networks._nin",
    "MLP": "sk_crl.networks._mlp",
    "MTCT": "sk_crl.networks._nin",
    "PANDA": "sk_crl.networks._parts",
    "ANet": "sk_crl.networks._parts",
    "Augmented": "sk_crl.networks._augmented",
    "Branches": "sk_crl.networks._branches",
    "CifarNet": "sk_crl.networks._cifarnet",
    "DeepID2": "sk_crl.networks._deepid2",
    "DenseNet40": "sk_crl.networks._densenet",
    "FashionNet": "sk_crl.networks._vgg",
    "LoadReport": "sk_crl.networks._weights",
    "ResNet32": "sk_crl.networks._resnet",
    "ResNet50": "sk_crl.networks._resnet",
    "TableNetwork": "sk_crl.networks._table",
    "load_weights": "sk_crl.networks._weights",
}


def __getattr__(name: str):
    """Import a public name on first use, so that a fit imports the network that it trains."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
