"""Rival methods, for one target and for several."""

from sk_crl.baselines._resampled import MultiOutputResampledClassifier, ResampledClassifier

__all__ = ["MultiOutputResampledClassifier", "ResampledClassifier"]
