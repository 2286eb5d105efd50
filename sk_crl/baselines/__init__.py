"""Rival methods, on the same networks and with the same labels as `CRLClassifier`."""

from sk_crl.baselines._lmle import LMLEClassifier

__all__ = ["LMLEClassifier"]
