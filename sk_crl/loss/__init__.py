"""The Class Rectification Loss in PyTorch, for one target and for many."""

from sk_crl.loss._linear import Linearization
from sk_crl.loss._loss import ClassRectificationLoss
from sk_crl.loss._prepared import PreparedLabels
from sk_crl.loss._profile import minority_classes
from sk_crl.loss._rectification import class_rectification

__all__ = [
    "ClassRectificationLoss",
    "Linearization",
    "PreparedLabels",
    "class_rectification",
    "minority_classes",
]
