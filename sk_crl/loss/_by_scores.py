"""What of a loss depends on scores: cross-entropy and, at class level, rectification (Eq. 2, 8)."""

from __future__ import annotations

from torch import Tensor

from sk_crl._layout import ColumnLayout
from sk_crl.loss._prepared import PreparedLabels
from sk_crl.loss._rectification import Rectification
from sk_crl.loss._softmax import through_softmax


def differentiate_by_scores(
    scores: Tensor,
    rectified: Tensor | None,
    labels: PreparedLabels,
    rectification: Rectification,
    layout: ColumnLayout,
) -> tuple[Tensor, Tensor]:
    """Compute cross-entropy and class-level rectification, and derivatives by scores.

    Parameters
    ----------
    scores : Tensor of shape (n_targets, widest, n_samples)
        The scores that cross-entropy sees, class by class.
    rectified : Tensor of shape (n_targets, widest, n_samples), or None
        Those whose softmax is rectified, where they are others: `scores` less a constant.
    labels : PreparedLabels
        The batch's labels.
    rectification : Rectification
        The rectification that they are prepared for.
    layout : ColumnLayout
        The targets' classes.

    Returns
    -------
    value : Tensor of shape ()
        Cross-entropy and, at class level, class rectification.
    gradient : Tensor of shape (n_targets, widest, n_samples)
        Its derivatives.
    """
    log_p = scores.log_softmax(1)
    # Cross-entropy is linear in the log-probabilities of the labels.
    codes, by_label = labels.codes, labels.by_label.to(log_p.dtype)
    value = (log_p.gather(1, codes) * by_label).sum()
    p = log_p.exp_()
    if labels.rectified is None or rectification.level == "instance":
        return value, through_softmax(p, (codes, by_label))
    q = p if rectified is None else rectified.softmax(1)
    term, rows, by_log_q = rectification.at_class_level(q, labels.rectified, layout)
    if rectified is None:
        gradient = through_softmax(p, (codes, by_label), (rows, by_log_q))
    else:
        gradient = through_softmax(p, (codes, by_label))
        gradient += through_softmax(q, rows=(rows, by_log_q))
    return value + term.sum(), gradient
