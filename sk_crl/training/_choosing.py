"""Which kinds of members of an ensemble count, by what is predicted without having seen it."""

from __future__ import annotations

import torch
from torch import Tensor

from sk_crl.training._validation import validate_targets

ROUNDING = 1e-6  # what log-losses that are equal may differ by


def choose_variants(
    log_probabilities: Tensor,
    codes: Tensor,
    class_weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Choose, for every target, which kinds of members count.

    Parameters
    ----------
    log_probabilities : Tensor of shape (n_variants, n_samples, n_targets, widest)
        What is predicted by members that have not seen the sample.
    codes : Tensor of int64, shape (n_samples, n_targets)
        True classes, -1 where the label is missing.
    class_weight : Tensor of shape (n_targets, widest), optional
        How much every class counts; by default all count alike.
    sample_weight : Tensor of shape (n_samples,), optional
        How much every sample counts within its class; by default all count alike.

    Returns
    -------
    Tensor of shape (n_variants, n_targets)
        Weights that add up to 1: those of the single kind, or of the mean of all kinds, that has
        the lowest class-balanced log-loss. Ties go to the first kind.
    """
    n_variants = len(log_probabilities)
    choices = torch.eye(n_variants)
    if n_variants > 1:
        choices = torch.cat([choices, torch.full((1, n_variants), 1 / n_variants)])
    losses = []
    for choice in choices:
        mixed = mix(log_probabilities, choice[:, None])
        losses.append(validate_targets(mixed, codes, class_weight, sample_weight)[0])
    by_choice = torch.stack(losses)
    is_least = by_choice <= by_choice.min(0).values + ROUNDING
    return choices[is_least.int().argmax(0)].T


def mix(log_probabilities: Tensor, weight: Tensor) -> Tensor:
    """Average probabilities over kinds of members.

    Parameters
    ----------
    log_probabilities : Tensor of shape (n_variants, n_samples, n_targets, widest)
        Those of every kind.
    weight : Tensor of shape (n_variants, n_targets) or (n_variants, 1)
        What the kinds count; adds up to 1 over them.

    Returns
    -------
    Tensor of shape (n_samples, n_targets, widest)
        The logarithm of the mean.
    """
    return (log_probabilities + weight.log()[:, None, :, None]).logsumexp(0)
