"""Class Rectification Loss for imbalanced classification, in scikit-learn's manner."""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "CRLClassifier": "sk_crl._classifier",
    "ClassRectificationLoss": "sk_crl.loss",
    "balanced_accuracy": "sk_crl.metrics",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str):
    """Import a public name on first use, so that `import sk_crl` itself costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
