"""The columns of several targets side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class ColumnLayout:
    """How the classes of several targets share the columns of one score matrix.

    A network with ``T`` targets of ``K_1, ..., K_T`` classes returns scores of shape ``(n, K_1 +
    ... + K_T)``. Everything that treats targets alike works on the *padded* form ``(n, T, K)`` with
    ``K`` the widest target, so that nothing needs a Python loop over targets. Where all targets are
    equally wide (one target, 40 binary attributes) the padded form is a view.

    Parameters
    ----------
    n_classes : tuple of int
        The number of classes of every target.

    Attributes
    ----------
    n_targets : int
        The number of targets.
    n_columns : int
        The number of score columns, all targets together.
    widest : int
        The number of classes of the widest target.
    is_uniform : bool
        Whether every target has the same number of classes.

    Examples
    --------
    >>> import torch
    >>> from sk_crl._layout import ColumnLayout
    >>> layout = ColumnLayout((2, 3))
    >>> layout.n_columns, layout.widest
    (5, 3)
    >>> layout.pad(torch.arange(5.0)[None], fill=-1.0)
    tensor([[[ 0.,  1., -1.],
             [ 2.,  3.,  4.]]])
    """

    n_classes: tuple[int, ...]

    n_targets: int = field(init=False, repr=False, compare=False)
    n_columns: int = field(init=False, repr=False, compare=False)
    widest: int = field(init=False, repr=False, compare=False)
    is_uniform: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        # Asked for in every step of training, hence counted once.
        sizes = self.n_classes
        for name, value in (
            ("n_targets", len(sizes)),
            ("n_columns", sum(sizes)),
            ("widest", max(sizes)),
            ("is_uniform", min(sizes) == max(sizes)),
        ):
            object.__setattr__(self, name, value)

    def pad(self, columns: Tensor, fill: float) -> Tensor:
        """Turn (n, n_columns) into (n, n_targets, widest), with `fill` where there is no class."""
        if self.is_uniform:
            return columns.view(len(columns), self.n_targets, self.widest)
        source, missing = _pad_index(self, columns.device)
        return columns[:, source].masked_fill(missing, fill)

    def table(self, rows: Sequence[NDArray]) -> Tensor:
        """Lay a number for every class of every target out as (n_targets, widest), float32."""
        columns = torch.as_tensor(np.concatenate(rows), dtype=torch.float32)
        return self.pad(columns[None], fill=0.0)[0]

    def unpad(self, padded: Tensor) -> Tensor:
        """Turn (n, n_targets, widest) into (n, n_columns), leaving out cells without a class."""
        flat = padded.flatten(1)
        return flat if self.is_uniform else flat[:, _class_cells(self, padded.device)]


@lru_cache(maxsize=128)
@torch.inference_mode(False)  # what is cached must serve training, too
def _pad_index(layout: ColumnLayout, device: torch.device) -> tuple[Tensor, Tensor]:
    """Column of every padded cell ``(n_targets, widest)``, and which cells hold no class."""
    sizes = torch.tensor(layout.n_classes)[:, None]
    code = torch.arange(layout.widest)[None, :]
    column = sizes.cumsum(0) - sizes + code.minimum(sizes - 1)
    return column.to(device), (code >= sizes).to(device)


@lru_cache(maxsize=128)
@torch.inference_mode(False)
def _class_cells(layout: ColumnLayout, device: torch.device) -> Tensor:
    """Place of every column among the padded cells, flattened."""
    starts = range(0, layout.n_targets * layout.widest, layout.widest)
    cells = [s + k for s, n in zip(starts, layout.n_classes, strict=True) for k in range(n)]
    return torch.tensor(cells, device=device)
