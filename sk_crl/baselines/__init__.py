"""Rival methods, for one target and for several.

Some stand around any classifier, and some train the networks of `CRLClassifier` in other ways.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sk_crl.baselines._cost import cost_sensitive_weights
    from sk_crl.baselines._hog import HOGKNNClassifier
    from sk_crl.baselines._lmle import LMLEClassifier
    from sk_crl.baselines._loss_classifier import LossClassifier, MultiOutputLossClassifier
    from sk_crl.baselines._offset_tuned import OffsetTunedClassifier
    from sk_crl.baselines._prior import LogitAdjustedClassifier, PriorThresholdClassifier
    from sk_crl.baselines._resampled import MultiOutputResampledClassifier, ResampledClassifier
    from sk_crl.baselines._retrained_head import RetrainedHeadClassifier
    from sk_crl.baselines._tau_normalized import TauNormalizedClassifier
    from sk_crl.baselines._triplet_knn import TripletKNNClassifier

__all__ = [
    "HOGKNNClassifier",
    "LMLEClassifier",
    "LogitAdjustedClassifier",
    "LossClassifier",
    "MultiOutputLossClassifier",
    "MultiOutputResampledClassifier",
    "OffsetTunedClassifier",
    "PriorThresholdClassifier",
    "ResampledClassifier",
    "RetrainedHeadClassifier",
    "TauNormalizedClassifier",
    "TripletKNNClassifier",
    "cost_sensitive_weights",
]

_HOME = {
    "HOGKNNClassifier": "sk_crl.baselines._hog",
    "LMLEClassifier": "sk_crl.baselines._lmle",
    "LogitAdjustedClassifier": "sk_crl.baselines._prior",
    "LossClassifier": "sk_crl.baselines._loss_classifier",
    "MultiOutputLossClassifier": "sk_crl.baselines._loss_classifier",
    "MultiOutputResampledClassifier": "sk_crl.baselines._resampled",
    "OffsetTunedClassifier": "sk_crl.baselines._offset_tuned",
    "PriorThresholdClassifier": "sk_crl.baselines._prior",
    "ResampledClassifier": "sk_crl.baselines._resampled",
    "RetrainedHeadClassifier": "sk_crl.baselines._retrained_head",
    "TauNormalizedClassifier": "sk_crl.baselines._tau_normalized",
    "TripletKNNClassifier": "sk_crl.baselines._triplet_knn",
    "cost_sensitive_weights": "sk_crl.baselines._cost",
}


def __getattr__(name: str):
    """Import a public name on first use, so that methods without a network need no PyTorch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
