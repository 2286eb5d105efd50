"""Class-balanced draws of samples."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_balanced(
    codes: Tensor, n_batches: int, batch_size: int, generator: torch.Generator
) -> Tensor:
    """Draw batches in which every class has the same number of samples, give or take one.

    Samples of a class are drawn with replacement.

    Parameters
    ----------
    codes : Tensor of int64, shape (n_samples,)
        Class codes from 0 on, each of which occurs, and -1 where a label is missing.
    n_batches : int
        Number of batches.
    batch_size : int
        Samples in a batch.
    generator : torch.Generator
        Source of the draws, on the CPU.

    Returns
    -------
    Tensor of int64, shape (n_batches, batch_size)
        The samples.
    """
    device, codes = codes.device, codes.cpu()
    sizes = codes[codes >= 0].bincount()
    by_class = codes.argsort()[-int(sizes.sum()) :]
    firsts = sizes.cumsum(0) - sizes
    n_orders = -(-batch_size // len(sizes))
    # Each is a random order of all classes, so that the last, cut short, favours none.
    orders = torch.rand(n_batches, n_orders, len(sizes), generator=generator).argsort(2)
    classes = orders.flatten(1)[:, :batch_size]
    shares = torch.rand(classes.shape, generator=generator, dtype=torch.float64)
    places = (shares * sizes[classes]).long()
    return by_class[firsts[classes] + places].to(device)
