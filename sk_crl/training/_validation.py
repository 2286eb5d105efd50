"""How well a network does on validation data, every class counted alike."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class ValidationScore(NamedTuple):
    """Class-balanced scores, averaged over the classes present and then over targets.

    Attributes
    ----------
    log_loss : float
        Mean over classes of the mean of ``-log p(true class)``.
    accuracy : float
        Balanced accuracy.
    """

    log_loss: float
    accuracy: float


def validate(
    log_probabilities: Tensor, codes: Tensor, class_weight: Tensor | None = None
) -> ValidationScore:
    """Score predictions.

    Parameters
    ----------
    log_probabilities : Tensor of shape (n_samples, n_targets, widest)
        Predicted log-probabilities.
    codes : Tensor of int64, shape (n_samples, n_targets)
        True classes, -1 where the label is missing.
    class_weight : Tensor of shape (n_targets, widest), optional
        How much every class counts; by default all count alike.

    Returns
    -------
    ValidationScore
    """
    known = codes.clamp(min=0)
    labelled = (codes >= 0).double()
    surprise = -log_probabilities.gather(2, known[..., None])[..., 0].double()
    right = (log_probabilities.argmax(2) == codes).double()

    def balanced(values: Tensor) -> float:
        per_class = labelled.new_zeros(log_probabilities.shape[1:])
        counts = per_class.clone()
        counts.scatter_add_(1, known.t(), labelled.t())
        per_class.scatter_add_(1, known.t(), (values * labelled).t())
        weight = (counts > 0).double()
        if class_weight is not None:
            weight = weight * class_weight
        total = weight.sum(1)
        per_target = (weight * per_class / counts.clamp(min=1)).sum(1)[total > 0]
        return (per_target / total[total > 0]).mean().item()

    return ValidationScore(balanced(surprise), balanced(right))
