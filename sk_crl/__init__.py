"""Class Rectification Loss for imbalanced classification, in scikit-learn's manner."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sk_crl._classifier import CRLClassifier
    from sk_crl._multi_output import MultiOutputCRLClassifier
    from sk_crl.loss import ClassRectificationLoss
    from sk_crl.metrics import balanced_accuracy

__version__ = "0.1.0"
__all__ = [
    "CRLClassifier",
    "ClassRectificationLoss",
    "MultiOutputCRLClassifier",
    "__version__",
    "balanced_accuracy",
]

_HOME = {
    "CRLClassifier": "sk_crl._classifier",
    "MultiOutputCRLClassifier": "sk_crl._multi_output",
    "ClassRectificationLoss": "sk_crl.loss",
    "balanced_accuracy": "sk_crl.metrics",
}


def __getattr__(name: str):
    """Import a public name on first use, so that `import sk_crl` itself costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
