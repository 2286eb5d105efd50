"""How well a network does on validation data, every class counted alike."""

from __future__ import annotations

from typing import NamedTuple

import torch
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
    log_probabilities: Tensor,
    codes: Tensor,
    class_weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
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
    sample_weight : Tensor of shape (n_samples,) or (n_samples, n_targets), optional
        How much every sample counts within its class, or every label; by default all count alike.

    Returns
    -------
    ValidationScore
    """
    log_loss, accuracy = validate_targets(log_probabilities, codes, class_weight, sample_weight)
    return ValidationScore(log_loss.nanmean().item(), accuracy.nanmean().item())


def validate_targets(
    log_probabilities: Tensor,
    codes: Tensor,
    class_weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Score the predictions of every target by itself.

    Parameters
    ----------
    log_probabilities, codes, class_weight, sample_weight
        As in `validate`.

    Returns
    -------
    log_loss, accuracy : Tensor of float64, shape (n_targets,)
        NaN for targets of which no class counts.
    """
    known = codes.clamp(min=0)
    counted = (codes >= 0).double()
    if sample_weight is not None:
        counted *= sample_weight if sample_weight.ndim == 2 else sample_weight[:, None]
    totals = counted.new_zeros(log_probabilities.shape[1:])
    totals.scatter_add_(1, known.t(), counted.t())
    weight = (totals > 0).double()
    if class_weight is not None:
        weight = weight * class_weight

    def balanced(values: Tensor) -> Tensor:
        per_class = torch.zeros_like(totals)
        per_class.scatter_add_(1, known.t(), (values * counted).t())
        return (weight * per_class / totals.where(totals > 0, 1)).sum(1) / weight.sum(1)

    surprise = -log_probabilities.gather(2, known[..., None])[..., 0].double()
    right = (log_probabilities.argmax(2) == codes).double()
    return balanced(surprise), balanced(right)
