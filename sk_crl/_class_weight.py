"""Class weights from their short names."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sk_crl._checks import check_real, plain
from sk_crl._distribution import ClassDistribution
from sk_crl._labels import short


def class_weights(
    class_weight: str | dict | None,
    classes: NDArray,
    distribution: ClassDistribution,
    name: str = "class_weight",
) -> NDArray[np.float64]:
    """Find the weight of every class of a target in the cross-entropy.

    Parameters
    ----------
    class_weight : {None, "balanced", "exp"} or dict
        None: 1. ``"balanced"``: inverse to the class's share. ``"exp"``: ``exp(-share)``, the
        paper's cost-sensitive weights. A dict maps labels to weights, 1 for those that it does not
        name.
    classes : ndarray of shape (n_classes,)
        The labels.
    distribution : ClassDistribution
        Their counts in the training data.
    name : str, default="class_weight"
        What messages call it.

    Returns
    -------
    ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        For an unknown name, a label that is no class, a weight that is no non-negative number, and
        weights that are all 0.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, dict):
        known = classes.tolist()
        strange = [label for label in class_weight if label not in known]
        if strange:
            raise ValueError(
                f"{name} names labels that are not among the classes {short(classes)}: "
                f"[{', '.join(map(plain, strange))}]."
            )
        for label, weight in class_weight.items():
            check_real(f"{name}[{plain(label)}]", weight, 0, math.inf, "[)")
        weights = np.array([class_weight.get(c, 1.0) for c in classes.tolist()], dtype=float)
        if not weights.any():
            raise ValueError(f"{name} must leave a class with a weight; got {class_weight!r}.")
        return weights
    if isinstance(class_weight, str) and class_weight == "balanced":
        shares = distribution.prior * len(classes)
        return np.divide(1, shares, out=np.zeros_like(shares), where=shares > 0)
    if isinstance(class_weight, str) and class_weight == "exp":
        return np.exp(-distribution.prior)
    raise ValueError(
        f"{name} must be None, 'balanced', 'exp' or a dict of labels; got {class_weight!r}."
    )
