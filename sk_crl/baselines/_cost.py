"""Class weights for cost-sensitive learning with any classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from sk_crl._checks import check_choice
from sk_crl._class_weight import class_weights
from sk_crl._distribution import ClassDistribution
from sk_crl._labels import LabelColumn, read_labels, where


def cost_sensitive_weights(
    y: Any, kind: str = "exp", *, missing_label: float | str | None = None
) -> dict | list[dict]:
    r"""Compute class weights that any scikit-learn classifier takes as its `class_weight`.

    Those of the paper (Dong, Gong and Zhu: *Imbalanced Deep Learning by Minority Class Incremental
    Rectification*) are :math:`\exp(-r_c)`, with :math:`r_c` the share of class c: between 1 and
    1/e, a mild correction. Weights inverse to the frequency make all classes weigh the same.

    Parameters
    ----------
    y : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
        Labels of the training data. NaN, None and NA are missing labels, which take no part.
    kind : {"exp", "balanced"}, default="exp"
        The paper's weights, or ``n_samples / (n_classes * counts)``.
    missing_label : number or str, optional
        A further label that stands for none.

    Returns
    -------
    dict or list of dict
        Weight by label; where `y` has two dimensions a dict for every target.

    Raises
    ------
    ValueError
        For another `kind`, what are no labels, and a target without any.

    See Also
    --------
    sk_crl.CRLClassifier : Takes both by name.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sk_crl.baselines import cost_sensitive_weights
    >>> y = ["cat"] * 8 + ["dog"] * 2
    >>> cost_sensitive_weights(y, "balanced")
    {'cat': 0.625, 'dog': 2.5}
    >>> weights = cost_sensitive_weights(y)
    >>> {label: round(weight, 3) for label, weight in weights.items()}
    {'cat': 0.449, 'dog': 0.819}
    >>> model = LogisticRegression(class_weight=weights)
    """
    check_choice("kind", kind, ("exp", "balanced"))
    labels = read_labels(y, missing_label)
    weights = [_weights(column, kind) for column in labels]
    return weights[0] if labels.template is None else weights


def _weights(column: LabelColumn, kind: str) -> dict:
    """Compute the weights of the classes of one target."""
    classes = column.classes()
    if not len(classes):
        raise ValueError(f"{where('y', column.title)} has no label at all.")
    codes = column.codes(classes)
    counts = np.bincount(codes[codes >= 0]).astype(np.float64)
    weights = class_weights(kind, classes, ClassDistribution(counts), "kind")
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))
