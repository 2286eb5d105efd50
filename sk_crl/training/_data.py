"""Training data in batches, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray
from skorch.dataset import Dataset
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from sk_crl._samples import Samples
from sk_crl.loss._criterion import Criterion
from sk_crl.training._sampled import SampledEpochs
from sk_crl.training._sources import Source, make_source

# How many numbers are predicted from at a time. A network makes more of them, and where these are
# many the allocator maps memory anew for every batch, which takes as long as computing.
_PREDICTED = 2**14
# For how many numbers, and batches, labels are prepared at a time.
_PREPARED = 2**22
_MOST_BATCHES = 256


class CodedData(Dataset):
    """Samples, their class codes and weights.

    Parameters
    ----------
    source : Source
        Where the samples come from.
    rows : Tensor of int64, shape (n_samples,)
        Where in the source each of them is.
    codes : Tensor of int64, shape (n_samples,) or (n_samples, n_targets), optional
        Their class codes, on the device that computes.
    sample_weight : Tensor of shape (n_samples,), optional
        Their weights, there too.
    sampled : SampledEpochs, optional
        What a batch sampler shows of them.
    """

    def __init__(
        self,
        source: Source,
        rows: Tensor,
        codes: Tensor | None = None,
        sample_weight: Tensor | None = None,
        sampled: SampledEpochs | None = None,
    ):
        self.source = source
        self.rows = rows
        self.y = codes
        self.sample_weight = sample_weight
        self.sampled = sampled

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a sample and its codes, for callbacks that ask for them one by one."""
        return self.take(torch.tensor([index]))[0], self.y[index]

    def take(self, rows: Tensor) -> Tensor:
        """Return the samples in these rows, all at once, on the device that computes."""
        (X,) = self.source.batches(self.rows[rows.cpu()], len(rows))
        return X

    @property
    def X(self) -> Tensor:  # noqa: N802 - skorch's name for them
        """All samples at once, for callbacks that ask for them."""
        return torch.cat(list(self.source.batches(self.rows, len(self))))

    @classmethod
    def from_samples(cls, samples: Samples, device: torch.device, num_workers: int) -> CodedData:
        """Put samples, or their labels at least, on the device that trains."""
        codes = torch.from_numpy(samples.codes)
        # The loss does not depend on their scale, but sums of float32 do.
        weight = samples.weight / samples.weight.max()
        weighted = (weight != 1).any()
        return cls(
            make_source(samples.X, device, num_workers, stays=True),
            torch.from_numpy(samples.rows),
            (codes[:, 0] if codes.shape[1] == 1 else codes).to(device),
            torch.as_tensor(weight, dtype=torch.float32).to(device) if weighted else None,
        )

    @classmethod
    def unlabelled(cls, X: NDArray | TorchDataset, device: torch.device, num_workers: int = 0):
        """Take all samples, to predict their labels."""
        return cls(make_source(X, device, num_workers), torch.arange(len(X)))


class TrainingBatches:
    """Batches in a new order every epoch, with their labels prepared for the loss.

    The order is a shuffled one, or what the batch sampler of the data makes of them.

    Parameters
    ----------
    data : CodedData
        What to learn from.
    batch_size : int
        Samples in a batch; the last of an epoch may have fewer.
    criterion : Criterion
        The loss that will see the batches.
    generator : torch.Generator
        Source of the order.
    """

    def __init__(
        self,
        data: CodedData,
        batch_size: int,
        criterion: Criterion,
        generator: torch.Generator,
    ):
        self.data = data
        self.batch_size = min(batch_size, len(data))
        self.criterion = criterion
        self.generator = generator
        self._order: Tensor | None = None

    def begin_epoch(self, epoch: int, n_epochs: int) -> list[Tensor] | None:
        """Draw the next order, where a sampler does; return the class counts that it shows."""
        if self.data.sampled is None:
            return None
        draw = self.data.sampled.draw
        self._order, counts = draw(self.batch_size, epoch, n_epochs, self.generator)
        return counts

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Any]]:
        order = self._order
        if order is None:
            order = torch.randperm(len(self.data), generator=self.generator)
        if len(order) > 1 and len(order) % self.batch_size == 1:
            order = order[:-1]  # batch normalisation cannot train on a single sample
        batches = self.data.source.batches(self.data.rows[order], self.batch_size)
        for X, (codes, labels) in zip(batches, self._labels(order), strict=True):
            yield X, codes, labels

    def _labels(self, order: Tensor) -> Iterator[tuple[Tensor, Any]]:
        """Prepare labels, those of many batches at a time."""
        data, size = self.data, self.batch_size
        n_batches = batches_prepared(self.criterion, size)
        for rows in order.to(data.y.device).split(n_batches * size):
            codes = data.y.index_select(0, rows)
            weight = data.sample_weight
            weight = None if weight is None else weight.index_select(0, rows)
            labels = self.criterion.prepare(codes, weight, batch_size=size)
            yield from zip(codes.split(size), labels, strict=True)


def batches_prepared(criterion: Criterion, size: int) -> int:
    """Choose for how many batches labels are prepared at a time."""
    return min(max(_PREPARED // criterion.n_prepared(size), 1), _MOST_BATCHES)


class OrderedBatches:
    """Large batches in the order of the data, for prediction.

    Parameters
    ----------
    data : CodedData
        What to predict from.
    batch_size : int
        The least number of samples in a batch but the last.
    """

    def __init__(self, data: CodedData, batch_size: int):
        self.data = data
        self.batch_size = max(batch_size, _PREDICTED // data.source.n_numbers)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        batches = self.data.source.batches(self.data.rows, self.batch_size)
        if self.data.y is None:
            for X in batches:
                yield X, None
        else:
            yield from zip(batches, self.data.y.split(self.batch_size), strict=True)
