"""The data sets, by name: what belongs into the data folder, and how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sk_crl.datasets import load_cifar100, make_power_law_imbalance


class Parts(NamedTuple):
    """Training, validation and test data.

    Attributes
    ----------
    X, y, X_test, y_test : array-like
        Samples and labels.
    X_val, y_val : array-like or None
        Validation data, where the data set has some.
    target_names : sequence of str
        Names of several targets; none for one alone.
    """

    X: Any
    y: Any
    X_test: Any
    y_test: Any
    X_val: Any = None
    y_val: Any = None
    target_names: Sequence[str] = ()


class MissingDataError(Exception):
    """Data that are not there, with what to put where."""


CIFAR100 = """\
CIFAR-100, from https://www.cs.toronto.edu/~kriz/cifar.html, its binary or its Python version:
  {folder}/cifar-100-binary/train.bin, test.bin, fine_label_names.txt, coarse_label_names.txt
  {folder}/cifar-100-python/train, test, meta
"""


def load(data: str, folder: Path | None, seed: int) -> Parts:
    """Load a data set, raise `MissingDataError` where files are."""
    family, _, variant = data.partition("-")
    if folder is None:
        raise MissingDataError("No data folder: pass --data FOLDER, or set SK_CRL_DATA.")
    return _LOADERS[family](Path(folder), variant, seed)


def _cifar100(folder: Path, variant: str, seed: int) -> Parts:
    """Load CIFAR-100, all of it ("") or as the power law has it ("imb1.0", "bln1.0")."""
    places = [root / name for root in (folder, folder / "images") for name in _CIFAR_FOLDERS]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise MissingDataError(CIFAR100.format(folder=folder))
    train, test = (load_cifar100(found, subset=subset) for subset in ("train", "test"))
    rows = np.arange(len(train.target))
    if variant:
        rows = make_power_law_imbalance(
            train.target,
            float(variant[3:]),
            balanced=variant.startswith("bln"),
            random_state=seed,
        )
    X, X_test = (np.ascontiguousarray(images) for images in (train.data[rows], test.data))
    return Parts(X, train.target[rows], X_test, test.target)


_CIFAR_FOLDERS = ("cifar-100-binary", "cifar-100-python")
_LOADERS = {"cifar100": _cifar100}
