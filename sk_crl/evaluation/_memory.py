"""How much memory a fit takes, from what the kernel says of the process."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable
from pathlib import Path

PROCESS = Path("/proc/self")
FORGET_PEAK = "5"  # what proc(5) has for "reset the peak resident set size"


def watch_memory() -> Callable[[], float]:
    """Start to watch this process; return a function that says by how much it has grown at most.

    That is the peak of its resident memory since the start, less what was resident at the start,
    in MiB. So what NumPy, PyTorch and others allocate outside Python counts, and libraries that
    are loaded on first use. What an earlier fit has freed counts again as far as the C library
    gives it back to the system. NaN where the kernel does not tell, as outside Linux, and in a
    thread beside others, whose memory is not its own.
    """
    if threading.current_thread() is not threading.main_thread():
        return _unknown
    gc.collect(1)  # what the fit before has left; a full collection would take longer than fits
    _trim()
    try:
        (PROCESS / "clear_refs").write_text(FORGET_PEAK)
        start = _read("VmRSS")
    except OSError:
        return _unknown
    return lambda: max(0.0, (_read("VmHWM") - start) / 1024)


def _trim() -> None:
    """Have the C library give free memory back, where it can; or fits would use it unseen."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # neither glibc, nor of its kind
        return


def _unknown() -> float:
    """Say that it is not known."""
    return float("nan")


def _read(field: str) -> int:
    """Read a field of the process's status, in KiB."""
    for line in (PROCESS / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise OSError(f"{PROCESS / 'status'} has no {field}")
