"""Rows: data that stay on disk, or come from a `Dataset`, beside the same data in memory.

The file is small enough to be in the disk cache: what is measured is the way from there into the
network, not the disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from timing import Method, Row, Setting, compare
from torch.utils.data import Dataset

from sk_crl import CRLClassifier

N_ROWS = 200_000
N_FEATURES = 100
EPOCHS = 1


class Rows(Dataset):
    """A data set that reads a sample when it is asked for one."""

    def __init__(self, X: np.ndarray, y: np.ndarray):
        self.X = X
        self.y = y

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return torch.tensor(self.X[i]), int(self.y[i])


def stream_rows(setting: Setting) -> Iterator[Row]:
    """Measure an epoch of every source."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, N_FEATURES), dtype=np.float32)
    y = rng.choice(3, N_ROWS, p=[0.8, 0.15, 0.05])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        np.save(path, X)
        on_disk = np.load(path, mmap_mode="r")
        sources = {
            "np.memmap, read ahead by a thread": (on_disk, 0),
            "torch Dataset": (Rows(on_disk, y), 0),
            "torch Dataset, num_workers=2": (Rows(on_disk, y), 2),
        }
        methods = [
            Method(f"fit from {name}", partial(fit, setting, source, y, num_workers))
            for name, (source, num_workers) in sources.items()
        ]
        work = f"fit, {N_ROWS:,} x {N_FEATURES}, batch 512, one epoch"
        peer = Method("fit from memory", partial(fit, setting, X, y))
        for row in compare(work, peer, methods, setting):
            yield row._replace(n_samples=N_ROWS)


def fit(setting: Setting, X: np.ndarray | Dataset, y: np.ndarray, num_workers: int = 0) -> None:
    """Fit, and check that every sample was trained on."""
    model = CRLClassifier(
        n_members=1,
        max_epochs=EPOCHS,
        batch_size=512,
        device=setting.device,
        num_workers=num_workers,
        random_state=0,
    )
    model.fit(X, y)
    if model.n_iter_ != EPOCHS or model.class_counts_.sum() != N_ROWS:
        raise RuntimeError(f"Trained {model.n_iter_} epochs of {model.class_counts_.sum()} rows.")
