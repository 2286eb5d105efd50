"""Methods that people use against imbalance today, for one target and for several."""

from sk_crl.baselines._cost import cost_sensitive_weights
from sk_crl.baselines._offset_tuned import OffsetTunedClassifier
from sk_crl.baselines._prior import LogitAdjustedClassifier, PriorThresholdClassifier

__all__ = [
    "LogitAdjustedClassifier",
    "OffsetTunedClassifier",
    "PriorThresholdClassifier",
    "cost_sensitive_weights",
]
