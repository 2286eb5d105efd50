"""Class weights from their short names."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sk_crl._checks import check_real
from sk_crl._distribution import ClassDistribution


def class_weights(
    class_weight: str | dict, classes: NDArray, distribution: ClassDistribution
) -> NDArray[np.float64]:
    """Find the weight of every class in the cross-entropy.

    Parameters
    ----------
    class_weight : {"balanced", "exp"} or dict
        ``"balanced"``: inverse to the class's share. ``"exp"``: ``exp(-share)``, the paper's
        cost-sensitive weights. A dict maps labels to weights, 1 for those that it does not name.
    classes : ndarray of shape (n_classes,)
        The labels.
    distribution : ClassDistribution
        Their counts in the training data.

    Returns
    -------
    ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        For an unknown name, a label that is no class, or a weight that is no non-negative number.
    """
    if isinstance(class_weight, dict):
        strange = [label for label in class_weight if label not in classes]
        if strange:
            raise ValueError(
                f"class_weight names labels that are not among the classes {classes.tolist()}: "
                f"{strange}."
            )
        for label, weight in class_weight.items():
            check_real(f"class_weight[{label!r}]", weight, 0, math.inf, "[)")
        return np.array([class_weight.get(label, 1.0) for label in classes.tolist()], dtype=float)
    if class_weight == "balanced":
        shares = distribution.prior * len(classes)
        return np.divide(1, shares, out=np.zeros_like(shares), where=shares > 0)
    if class_weight == "exp":
        return np.exp(-distribution.prior)
    raise ValueError(
        f"class_weight must be None, 'balanced', 'exp' or a dict of labels; got {class_weight!r}."
    )
