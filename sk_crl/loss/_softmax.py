"""Derivatives by log-probabilities, carried back to the scores."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor


def through_softmax(
    p: Tensor,
    labelled: tuple[Tensor, Tensor] | None = None,
    rows: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Turn derivatives by some log-probabilities into those by all scores.

    With ``log p_k = s_k - log sum exp s`` a derivative ``b_k`` by ``log p_k`` is ``b_k`` by
    ``s_k``, and ``-p_l b_k`` by every ``s_l``.

    Parameters
    ----------
    p : Tensor of shape (n_targets, n_classes, n_samples)
        Softmax probabilities.
    labelled : Tensor of int64, Tensor of shape (n_targets, 1, n_samples), optional
        A class for every sample, and the derivatives by the logarithms of their probabilities.
    rows : Tensor of int64, Tensor of shape (n_targets, n_some, n_samples), optional
        Classes, (n_targets, n_some), as rows of those of all targets, and the derivatives by the
        logarithms of their probabilities.

    Returns
    -------
    Tensor of shape (n_targets, n_classes, n_samples)
    """
    totals = [labelled[1]] if labelled else []
    if rows:
        totals.append(rows[1].sum(1, keepdim=True))
    gradient = p * reduce(torch.add, totals).neg()
    if labelled:
        gradient.scatter_add_(1, *labelled)
    if rows:
        gradient.flatten(0, 1).index_add_(0, rows[0].flatten(), rows[1].flatten(0, 1))
    return gradient
