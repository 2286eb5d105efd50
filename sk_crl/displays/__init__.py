"""Figures of class imbalance and of what methods do about it, in scikit-learn's manner.

They need matplotlib, the extra ``displays``.
"""

from sk_crl.displays._class_distribution import ClassDistributionDisplay
from sk_crl.displays._critical_difference import CriticalDifferenceDisplay
from sk_crl.displays._embedding import FeatureEmbeddingDisplay
from sk_crl.displays._gain import GainByImbalanceDisplay
from sk_crl.displays._history import TrainingHistoryDisplay
from sk_crl.displays._sensitivity import SensitivityDisplay

__all__ = [
    "ClassDistributionDisplay",
    "CriticalDifferenceDisplay",
    "FeatureEmbeddingDisplay",
    "GainByImbalanceDisplay",
    "SensitivityDisplay",
    "TrainingHistoryDisplay",
]
