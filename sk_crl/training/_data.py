"""Training data as tensors, handed out in batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.dataset import Dataset
from torch import Tensor

from sk_crl._samples import Samples
from sk_crl.loss._loss import ClassRectificationLoss, PreparedLabels

# How many numbers are gathered, or predicted from, at a time: large enough that the work of Python
# does not show, small enough that memory does not. A network makes more numbers of those it is
# given than a gather does, and what is prepared of labels takes more memory than they do.
_CHUNK = 2**22
_PREDICTED = 2**18
_MOST_BATCHES = 256


class TensorData(Dataset):
    """Samples, their class codes and weights, on the device that trains.

    Parameters
    ----------
    X : Tensor of shape (n_samples, ...)
        The samples.
    y : Tensor of int64, shape (n_samples,) or (n_samples, n_targets), optional
        Their class codes.
    sample_weight : Tensor of shape (n_samples,), optional
        Their weights.
    """

    def __init__(self, X: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None):
        super().__init__(X, y)
        self.sample_weight = sample_weight

    @classmethod
    def from_samples(cls, samples: Samples, device: torch.device) -> TensorData:
        """Put samples on the device that trains."""
        codes = torch.from_numpy(samples.codes)
        # The loss does not depend on their scale, but sums of float32 do.
        weight = samples.weight / samples.weight.max()
        weighted = (weight != 1).any()
        return cls(
            from_array(samples.X).to(device),
            (codes[:, 0] if codes.shape[1] == 1 else codes).to(device),
            torch.as_tensor(weight, dtype=torch.float32).to(device) if weighted else None,
        )


def from_array(X: NDArray[np.float32]) -> Tensor:
    """Share an array's memory with a tensor, or copy it where it must not be written to."""
    return torch.from_numpy(X if X.flags.writeable else X.copy())


class TrainingBatches:
    """Batches in a new order every epoch, with their labels prepared for the loss.

    A whole stretch of the epoch is gathered at once and split into views, not row by row.

    Parameters
    ----------
    data : TensorData
        What to learn from.
    batch_size : int
        Samples in a batch; the last of an epoch may have fewer.
    loss : ClassRectificationLoss
        The loss that will see the batches.
    generator : torch.Generator
        Source of the order.
    """

    def __init__(
        self,
        data: TensorData,
        batch_size: int,
        loss: ClassRectificationLoss,
        generator: torch.Generator,
    ):
        self.data = data
        self.batch_size = batch_size
        self.loss = loss
        self.generator = generator

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, PreparedLabels]]:
        data, size = self.data, self.batch_size
        order = torch.randperm(len(data), generator=self.generator).to(data.X.device)
        if len(data) > 1 and len(data) % size == 1:
            order = order[:-1]  # batch normalisation cannot train on a single sample
        n_numbers = data.X[0].numel() + self.loss.layout.n_columns
        n_batches = min(max(_CHUNK // (size * n_numbers), 1), _MOST_BATCHES)
        for rows in order.split(n_batches * size):
            # Four times as fast as indexing.
            X, y = data.X.index_select(0, rows), data.y.index_select(0, rows)
            weight = data.sample_weight
            weight = None if weight is None else weight.index_select(0, rows)
            labels = self.loss.prepare(y, weight, batch_size=size)
            yield from zip(X.split(size), y.split(size), labels, strict=True)


class OrderedBatches:
    """Large batches in the order of the data, for prediction.

    Parameters
    ----------
    data : TensorData
        What to predict from.
    batch_size : int
        The least number of samples in a batch but the last.
    """

    def __init__(self, data: TensorData, batch_size: int):
        self.data = data
        self.batch_size = max(batch_size, _PREDICTED // max(data.X[:1].numel(), 1))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        # Copies, for a module may work in place, and these are the user's data.
        X = map(torch.clone, self.data.X.split(self.batch_size))
        if self.data.y is None:
            return zip(X, itertools.repeat(None), strict=False)
        return zip(X, self.data.y.split(self.batch_size), strict=True)
