"""PyTorch's global generators and threads, which a fit leaves as they were."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

_generators = threading.RLock()


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Put the generator back that a data set may draw from, when the context closes."""
    with _generators, torch.random.fork_rng(devices=[]):
        yield


@contextmanager
def own_random_state(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """Seed PyTorch's generators for as long as the context is open, and then put them back.

    Initialisers and dropout draw from the global generators and take no other. What can take one
    has the generator that the context returns. Of several threads one at a time holds the context.
    """
    devices = [device] if device.type == "cuda" else []
    with _generators, _one_thread_in_a_pool(), torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


class GeneratorStates(NamedTuple):
    """Where generators stand inside `own_random_state`, for training that goes on later.

    Attributes
    ----------
    own : Tensor
        State of the generator that the context returns.
    cpu : Tensor
        State of PyTorch's global generator.
    cuda : Tensor or None
        State of the device's, on a GPU.
    """

    own: Tensor
    cpu: Tensor
    cuda: Tensor | None

    @classmethod
    def read(cls, generator: torch.Generator, device: torch.device) -> GeneratorStates:
        """Read the states."""
        cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        return cls(generator.get_state(), torch.get_rng_state(), cuda)

    def restore(self, generator: torch.Generator, device: torch.device) -> None:
        """Put generators where they stood; that of a GPU only if there was one before."""
        generator.set_state(self.own)
        torch.set_rng_state(self.cpu)
        if device.type == "cuda" and self.cuda is not None:
            torch.cuda.set_rng_state(self.cuda, device)


@contextmanager
def _one_thread_in_a_pool() -> Iterator[None]:
    """Use one thread in a process of a `multiprocessing` pool, whose siblings have the other cores.

    Joblib's own processes have their share of threads from joblib.
    """
    n_threads = torch.get_num_threads()
    if multiprocessing.current_process().daemon:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
