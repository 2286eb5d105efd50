"""Readers of the data sets of the paper, from their official files, and simulated imbalance."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sk_crl.datasets._attributes import load_attribute_table, load_celeba, load_deepfashion
    from sk_crl.datasets._cifar import load_cifar100
    from sk_crl.datasets._image_files import ImageFiles
    from sk_crl.datasets._power_law import make_power_law_imbalance, power_law_sizes

__all__ = [
    "ImageFiles",
    "load_attribute_table",
    "load_celeba",
    "load_cifar100",
    "load_deepfashion",
    "make_power_law_imbalance",
    "power_law_sizes",
]

_HOME = {
    "ImageFiles": "_image_files",
    "load_attribute_table": "_attributes",
    "load_celeba": "_attributes",
    "load_cifar100": "_cifar",
    "load_deepfashion": "_attributes",
    "make_power_law_imbalance": "_power_law",
    "power_law_sizes": "_power_law",
}


def __getattr__(name: str):
    """Import a public name on first use: only images need PyTorch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
