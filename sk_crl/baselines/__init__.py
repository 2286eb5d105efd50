"""Rival methods, on the same networks and with the same labels as `CRLClassifier`."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sk_crl.baselines._hog import HOGKNNClassifier
    from sk_crl.baselines._lmle import LMLEClassifier
    from sk_crl.baselines._triplet_knn import TripletKNNClassifier

__all__ = ["HOGKNNClassifier", "LMLEClassifier", "TripletKNNClassifier"]

_HOME = {
    "HOGKNNClassifier": "sk_crl.baselines._hog",
    "LMLEClassifier": "sk_crl.baselines._lmle",
    "TripletKNNClassifier": "sk_crl.baselines._triplet_knn",
}


def __getattr__(name: str):
    """Import a class on first use, so that methods without a network need no PyTorch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
