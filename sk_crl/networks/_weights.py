"""Weights from files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sk_crl._extras import import_extra

_NESTED = ("state_dict", "model_state_dict", "model")  # where checkpoints keep the weights
_MOST_LISTED = 6  # names in a message


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` has found, by name of tensor.

    Parameters
    ----------
    path : str
        The file.
    matched : tuple of str
        Tensors of the network that were read.
    mismatched : dict of str to tuple
        Tensors that both have, in different shapes: the file's and the network's. They were left as
        they were, as the last layer is that a network for other classes has.
    missing : tuple of str
        Tensors of the network that the file does not have. They were left as they were.
    unexpected : tuple of str
        Tensors of the file that the network does not have.

    Examples
    --------
    >>> from sk_crl.networks import LoadReport
    >>> shapes = {"fc.weight": ((1000, 2048), (10, 2048))}
    >>> print(LoadReport("a.pth", ("conv1.weight", "bn1.weight"), shapes, ("fc.bias",), ()))
    a.pth: read 2 of 4 tensors.
      Other shape (1): fc.weight (1000, 2048) in the file, (10, 2048) in the network
      Missing in the file (1): fc.bias
    """

    path: str
    matched: tuple[str, ...]
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def __str__(self) -> str:
        n_wanted = len(self.matched) + len(self.mismatched) + len(self.missing)
        shapes = [
            f"{name} {theirs} in the file, {ours} in the network"
            for name, (theirs, ours) in self.mismatched.items()
        ]
        lists = {
            "Other shape": shapes,
            "Missing in the file": self.missing,
            "Unknown to the network": self.unexpected,
        }
        lines = [f"{self.path}: read {len(self.matched)} of {n_wanted} tensors."]
        for title, names in lists.items():
            if names:
                more = ["..."] if len(names) > _MOST_LISTED else []
                listed = ", ".join([*names[:_MOST_LISTED], *more])
                lines.append(f"  {title} ({len(names)}): {listed}")
        return "\n".join(lines)


def load_weights(
    module: nn.Module,
    path: str | os.PathLike,
    *,
    prefixes: Sequence[str] = ("module.", "_orig_mod.", "network."),
) -> LoadReport:
    """Read weights from a file into a network, as far as names and shapes agree.

    Parameters
    ----------
    module : nn.Module
        The network. Its tensors that the file lacks, or has in another shape, stay as they are.
    path : str or path-like
        A file of safetensors, or one that ``torch.save`` made of a `state_dict`, by itself or under
        ``"state_dict"``, ``"model_state_dict"`` or ``"model"`` of a checkpoint. Nothing in it is
        executed.
    prefixes : sequence of str, default=("module.", "_orig_mod.", "network.")
        Taken off the beginning of the file's names where `module` does not know them. The default
        are those of data parallelism, of compiled networks, and of the ``net_`` of our estimators.

    Returns
    -------
    LoadReport
        What matched, for printing.

    Raises
    ------
    ValueError
        Where the file is no such file, is truncated, holds other objects than tensors (which could
        run code), or none of its tensors matches. The network is then as it was.
    TypeError
        For what is no path.
    OSError
        Where it cannot be opened.
    ImportError
        For a file of safetensors where this library is missing, which the extra ``weights``
        installs.

    Examples
    --------
    >>> import os, tempfile
    >>> import torch
    >>> from sk_crl.networks import ResNet32, load_weights
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "weights.pt")
    ...     torch.save(ResNet32((3, 32, 32), n_classes=100).state_dict(), path)
    ...     report = load_weights(ResNet32((3, 32, 32), n_classes=10), path)
    >>> len(report.matched), report.mismatched["fc.weight"]
    (186, ((100, 64), (10, 64)))
    """
    # Checked here: open() takes an integer, True too, for an open file and closes it.
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"The file of weights must be given by its path, a str or path-like; got {path!r}."
        )
    own = module.state_dict()
    found = {_own_name(name, own, prefixes): tensor for name, tensor in _read(path).items()}
    common = [name for name in found if name in own]
    matched = [name for name in common if found[name].shape == own[name].shape]
    report = LoadReport(
        os.fspath(path),
        tuple(matched),
        {
            name: (tuple(found[name].shape), tuple(own[name].shape))
            for name in common
            if found[name].shape != own[name].shape
        },
        # Older files do not count batches, and only an average over all of them would need it.
        tuple(n for n in own if n not in found and not n.endswith("num_batches_tracked")),
        tuple(name for name in found if name not in own),
    )
    if not matched:
        raise ValueError(
            f"No tensor of the file fits the network {type(module).__name__}; expected names like "
            f"{', '.join(list(own)[:3])}. Pass prefixes=... if its names begin with something "
            f"else.\n{report}"
        )
    with torch.no_grad():
        for name in matched:
            own[name].copy_(found[name])
    return report


def _own_name(name: str, own: dict[str, Tensor], prefixes: Sequence[str]) -> str:
    """Take prefixes off a name, until the network knows it or none is left."""
    while name not in own:
        prefix = next((p for p in prefixes if p and name.startswith(p)), None)
        if prefix is None:
            break
        name = name.removeprefix(prefix)
    return name


def _read(path: str | os.PathLike) -> dict[str, Tensor]:
    """Read the tensors of a file, by name."""
    with open(path, "rb") as file:
        start = file.read(9)
    # A file of safetensors begins with the length of its header, in eight bytes, and the header.
    if os.fspath(path).endswith(".safetensors") or start[8:] == b"{":
        load = import_extra("safetensors.torch", "weights", f"Reading {os.fspath(path)}").load_file
    else:
        load = _torch_load
    try:
        content = load(path)
    except MemoryError:
        raise
    except Exception as error:  # whatever a parser meets in a file of another kind
        raise _no_weights(path, f"it cannot be read ({type(error).__name__})") from error
    return _tensors(content, path)


def _torch_load(path: str | os.PathLike) -> Any:
    """Read a file of `torch.save`, without executing any of it."""
    return torch.load(path, map_location="cpu", weights_only=True)


def _tensors(content: Any, path: str | os.PathLike) -> dict[str, Tensor]:
    """Find the tensors by name in what a file holds."""
    if isinstance(content, dict):
        nested = [content[key] for key in _NESTED if isinstance(content.get(key), dict)]
        tensors = nested[0] if nested else content
        if tensors and all(isinstance(value, Tensor) for value in tensors.values()):
            return tensors
    raise _no_weights(path, f"it holds a {type(content).__name__} of other things than tensors")


def _no_weights(path: str | os.PathLike, got: str) -> ValueError:
    return ValueError(
        f"{os.fspath(path)} is no file of weights: {got}. Expected tensors by name, in a file of "
        "safetensors or one made with torch.save(module.state_dict(), path), complete, and without "
        "other pickled objects, which could run code and are refused."
    )
