"""Where batches of samples come from: a tensor, an array on disk, or a data set of the user's."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from sk_crl.training._random import kept_random_state

# How many numbers are gathered at a time: large enough that the work of Python does not show, small
# enough that memory does not.
_CHUNK = 2**22

T, U = TypeVar("T"), TypeVar("U")


class Source(Protocol):
    """Where samples come from."""

    n_numbers: int  # of a sample
    draws: bool  # whether reading may move the global generators

    def batches(self, rows: Tensor, size: int) -> Iterator[Tensor]:
        """Hand out the samples in these rows, so many at a time, on the device that computes."""


def make_source(
    X: NDArray | Tensor | Dataset, device: torch.device, num_workers: int = 0, stays: bool = False
) -> Source:
    """Choose how to read samples.

    Parameters
    ----------
    X : ndarray, Tensor or Dataset
        All samples.
    device : torch.device
        The device that computes.
    num_workers : int, default=0
        Processes that read a data set.
    stays : bool, default=False
        Whether the device is to hold all samples that are in memory, for they are read often.
    """
    if isinstance(X, Dataset):
        return DatasetSource(X, device, num_workers)
    if isinstance(X, np.memmap):
        return TensorSource(_shared(X), device, reads_ahead=True)
    tensor = _shared(X)
    return TensorSource(tensor.to(device) if stays else tensor, device)


def _shared(X: NDArray | Tensor) -> Tensor:
    """Share an array's memory with a tensor. It is only read, so it may be read-only."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.as_tensor(X)


class TensorSource:
    """Samples in a tensor, on the device or in a file that is mapped into memory.

    A whole stretch is gathered at once and split into views, not row by row.

    Parameters
    ----------
    X : Tensor of shape (n_samples, ...)
        The samples.
    device : torch.device
        The device that computes.
    reads_ahead : bool, default=False
        Whether a thread gathers the next stretch already while one is worked on.
    """

    draws = False

    def __init__(self, X: Tensor, device: torch.device, reads_ahead: bool = False):
        self.X = X
        self.n_numbers = max(X[:1].numel(), 1)
        self.device = device
        self.reads_ahead = reads_ahead

    def batches(self, rows: Tensor, size: int) -> Iterator[Tensor]:
        """Hand out the samples in these rows, so many at a time, on the device that computes."""
        n_batches = max(_CHUNK // (size * self.n_numbers), 1)
        stretches = rows.to(self.X.device).split(n_batches * size)
        gather = map_ahead if self.reads_ahead else map
        for stretch in gather(self._gather, stretches):
            yield from stretch.split(size)

    def _gather(self, rows: Tensor) -> Tensor:
        # Four times as fast as indexing.
        return self.X.index_select(0, rows).to(self.device, torch.float32)


class DatasetSource:
    """Samples of a `torch.utils.data.Dataset`, read by as many processes as the user likes.

    Parameters
    ----------
    dataset : Dataset
        Returns a sample, or a tuple that starts with one, for every index.
    device : torch.device
        The device that computes.
    num_workers : int
        Processes that read ahead; 0 to read when a batch is due.
    """

    draws = True

    def __init__(self, dataset: Dataset, device: torch.device, num_workers: int):
        self.dataset = dataset
        self.n_numbers = max(first_sample(dataset).numel(), 1)
        self.device = device
        # Processes of a pool may have none of their own.
        self.num_workers = 0 if multiprocessing.current_process().daemon else num_workers
        # From the seed alone: drawing from the global generator would move it on.
        self.generator = torch.Generator().manual_seed(torch.initial_seed())

    def batches(self, rows: Tensor, size: int) -> Iterator[Tensor]:
        """Hand out the samples in these rows, so many at a time, on the device that computes."""
        loader = DataLoader(
            self.dataset,
            batch_sampler=(part.tolist() for part in rows.split(size)),
            num_workers=self.num_workers,
            collate_fn=_collate_samples,
            generator=self.generator,
            pin_memory=self.device.type == "cuda",
        )
        for X in loader:
            yield X.to(self.device, torch.float32, non_blocking=True)


def first_sample(dataset: Dataset) -> Tensor:
    """Read the first sample of a data set.

    Raises
    ------
    ValueError
        Where it is no array of numbers.
    """
    with kept_random_state():
        item, why = dataset[0], ""
    try:
        batch = _collate_samples([item])
    except TypeError as error:
        batch, why = None, f" {error}"
    if not isinstance(batch, Tensor) or batch.ndim < 2 or batch.is_complex():
        raise ValueError(
            "A data set must return a sample, or a tuple of a sample and its label, and the sample "
            f"must be a tensor or an array of real numbers; got {_kind(item)}.{why}"
        )
    return batch[0]


def _kind(item: Any) -> str:
    """Say what a data set has returned."""
    is_pair = isinstance(item, tuple | list) and len(item) < 4
    return f"({', '.join(map(_kind, item))})" if is_pair else type(item).__name__


def read_labels(dataset: Dataset, num_workers: int) -> ArrayLike:
    """Read the labels that come with a data set's samples, from its `targets` if they are these.

    Raises
    ------
    ValueError
        Where it returns samples alone.
    """
    with kept_random_state():
        return _labels(dataset, num_workers)


def _labels(dataset: Dataset, num_workers: int) -> ArrayLike:
    """Find the labels of a data set."""
    first = dataset[0]
    has_label = isinstance(first, tuple | list) and len(first) > 1 and first[1] is not None
    targets = getattr(dataset, "targets", None)
    # A data set may change its targets on the way out.
    if targets is not None and (not has_label or np.array_equal(targets[0], first[1])):
        return targets
    if not has_label:
        raise ValueError(
            "y must be passed, since the data set returns samples alone; got y=None. Pass the "
            "labels, or return tuples of a sample and its label."
        )
    loader = DataLoader(
        dataset,
        batch_size=256,
        num_workers=num_workers,
        collate_fn=_collate_labels,
        generator=torch.Generator(),
    )
    batches = list(loader)
    is_array = isinstance(batches[0], np.ndarray)
    return np.concatenate(batches) if is_array else list(chain.from_iterable(batches))


def _collate_samples(items: list[Any]) -> Tensor:
    """Stack samples, without the labels that may come with them."""
    return default_collate([item[0] if isinstance(item, tuple | list) else item for item in items])


def _collate_labels(items: list[Any]) -> NDArray | list[Any]:
    """List labels as NumPy's or Python's, without their samples."""
    labels = [item[1] for item in items]
    return torch.stack(labels).numpy() if isinstance(labels[0], Tensor) else labels


def map_ahead(function: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    """Map, with a thread that works on the next item while the caller has the last result."""
    with ThreadPoolExecutor(1) as thread:
        due = None
        for item in items:
            following = thread.submit(function, item)
            if due is not None:
                yield due.result()
            due = following
        if due is not None:
            yield due.result()
