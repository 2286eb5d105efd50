"""Rival methods, on the same networks and with the same labels as `CRLClassifier`."""

from sk_crl.baselines._hog import HOGKNNClassifier
from sk_crl.baselines._lmle import LMLEClassifier
from sk_crl.baselines._triplet_knn import TripletKNNClassifier

__all__ = ["HOGKNNClassifier", "LMLEClassifier", "TripletKNNClassifier"]
