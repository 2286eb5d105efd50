"""The device that trains."""

from __future__ import annotations

from typing import Any

import torch


def check_device(device: Any) -> torch.device:
    """Turn `device` into a torch.device that works here; "auto" takes a GPU if there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    expected = "expected 'auto', 'cpu', 'cuda' or 'cuda:<index>'"
    try:
        checked = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"Unknown device {device!r}; {expected}.") from error
    if checked.type not in ("cpu", "cuda"):
        raise ValueError(f"Device {device!r} is not supported; {expected}.")
    try:
        torch.empty(0, device=checked)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"Device {device!r} cannot be used here; {expected}.") from error
    return checked
