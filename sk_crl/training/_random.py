"""PyTorch's global generators and threads, which a fit leaves as they were."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

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
