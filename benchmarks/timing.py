"""Measure methods side by side: turns, threads, peak memory, and the rows of the speed table."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from math import ceil
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch.profiler import ProfilerActivity, profile

CLOCKS = {"wall": perf_counter, "cpu": process_time}
TURN = 0.05  # seconds that a timed turn takes at least, roughly


class Setting(NamedTuple):
    """How to measure: the data's folder, the device, and what to read how often."""

    folder: Path | None = None
    device: str = "cpu"
    repeats: int = 9
    clock: str = "wall"

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device == "cuda"


class Method(NamedTuple):
    """One way to do a work: what it is called, a call that does it, and what it may cost.

    `goal` is the ratio to the peer that it must not exceed; None where there is nothing to reach.
    """

    name: str
    action: Callable[[], object]
    goal: float | None = None


class Row(NamedTuple):
    """A row of the speed table: a method's seconds, and their ratios to the peer's, by repeat.

    `n_samples` is how many were worked on, where throughput is to be told.
    """

    work: str
    method: str
    peer: str
    goal: float | None
    ratios: np.ndarray
    seconds: np.ndarray
    n_samples: int | None = None


def add_timing_options(parser: argparse.ArgumentParser, repeats: int) -> None:
    """Add ``--repeats`` and ``--clock``."""
    parser.add_argument(
        "--repeats", type=int, default=repeats, help="timed repeats, after warming up"
    )
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="wall time, or the processor time of this process, which other processes' turns on a "
        "busy machine do not count in",
    )


def interleaved(
    actions: dict[str, Callable[[], object]],
    repeats: int,
    clock: str = "wall",
    device: str = "cpu",
) -> dict[str, np.ndarray]:
    """Time actions in turn, so that what disturbs one repeat disturbs all of them alike.

    An action shorter than a turn is called several times in it, after one call that is not timed:
    none pays for the caches and the memory that the action before it has left.

    Parameters
    ----------
    actions : dict of callables
        What to time, by name.
    repeats : int
        Rounds to time, after warming up.
    clock : {"wall", "cpu"}, default="wall"
        What to read.
    device : {"cpu", "cuda"}, default="cpu"
        Where the work is done; what a GPU still has to do is waited for.

    Returns
    -------
    dict of ndarray of shape (repeats,)
        Seconds a call.
    """

    def read() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        return CLOCKS[clock]()

    def timed(action: Callable[[], object], n_calls: int) -> float:
        if n_calls > 1:
            action()
        start = read()
        for _ in range(n_calls):
            action()
        return (read() - start) / n_calls

    for action in actions.values():
        action()
    n_calls = {name: ceil(TURN / min(timed(a, 1), TURN)) for name, a in actions.items()}
    rounds = [[timed(a, n_calls[name]) for name, a in actions.items()] for _ in range(repeats)]
    return dict(zip(actions, np.array(rounds).T, strict=True))


def compare(work: str, peer: Method, methods: Sequence[Method], setting: Setting) -> Iterator[Row]:
    """Time a work's methods and their peer in turn, and take the ratios within a repeat."""
    actions = {method.name: method.action for method in (peer, *methods)}
    times = interleaved(actions, setting.repeats, setting.clock, setting.device)
    for name, _, goal in methods:
        yield Row(work, name, peer.name, goal, times[name] / times[peer.name], times[name])


@contextmanager
def threads(n_threads: int) -> Iterator[None]:
    """Give PyTorch, BLAS and OpenMP so many threads, as long as the context is open."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads):
            have = {pool["num_threads"] for pool in threadpool_info()} | {torch.get_num_threads()}
            if have != {n_threads}:
                raise RuntimeError(f"Asked for {n_threads} thread(s), but libraries use {have}.")
            yield
    finally:
        torch.set_num_threads(before)


def peak_memory(action: Callable[[], object], device: str = "cpu") -> int:
    """Measure the peak of what PyTorch's allocator hands out in an action, in bytes.

    It is what is there at most at any moment, in excess of before. On a CPU the profiler records
    every allocation and release, whose running sum has the peak; on a GPU the allocator knows it.
    """
    action()
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        action()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or every profile is announced
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        action()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        recorded.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = [event for event in events if event["name"] == "[memory]"]
    changes.sort(key=lambda event: (event["ts"], event["args"]["Ev Idx"]))
    return max(accumulate(event["args"]["Bytes"] for event in changes))
