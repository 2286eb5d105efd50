"""The data sets, by name: what belongs into the data folder, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from presets import NOTHING

from sk_crl.datasets import (
    load_attribute_table,
    load_celeba,
    load_cifar100,
    load_deepfashion,
    make_power_law_imbalance,
)

XDOMAIN_TARGETS = {
    "category": 2,
    "colour": 138,
    "collar": 210,
    "button": 242,
    "pattern": 476,
    "shape": 2138,
    "length": 3401,
    "sleeve_shape": 4115,
    "sleeve_length": 4162,
}


class Parts(NamedTuple):
    """Training, validation and test data.

    Attributes
    ----------
    X, y, X_test, y_test : array-like
        Samples and labels; NaN where a label is missing.
    X_val, y_val : array-like or None
        Validation data, where the data set has some.
    target_names : sequence of str
        Names of several targets; none for one alone.
    groups : mapping
        Names and columns of groups of binary targets, the likeliest of which are named.
    """

    X: Any
    y: Any
    X_test: Any
    y_test: Any
    X_val: Any = None
    y_val: Any = None
    target_names: Sequence[str] = ()
    groups: Mapping[str, NDArray[np.int64]] = NOTHING


class MissingDataError(Exception):
    """Data that are not there, with what to put where."""


class Source(NamedTuple):
    """A data set.

    Attributes
    ----------
    folders : tuple of str
        Where it may lie, in the data folder.
    files : str
        What belongs there.
    origin : str
        Where it is had from.
    load : callable
        Takes the folder or file, the variant, the seed, the size and the folder of caches.
    """

    folders: tuple[str, ...]
    files: str
    origin: str
    load: Callable[[Path, str, int, Any, Path], Parts]


def find(family: str, folder: Path | None) -> Path:
    """Find a data set, raise `MissingDataError` where it is not there."""
    source = SOURCES[family]
    if folder is None:
        raise MissingDataError("No data folder: pass --data FOLDER, or set SK_CRL_DATA.")
    for name in source.folders:
        if (folder / name).exists():
            return folder / name
    raise MissingDataError(
        f"The data set is not there ({source.origin}). Put\n  {source.files}\ninto "
        + " or ".join(str(folder / name) for name in source.folders)
    )


def load(data: str, folder: Path | None, seed: int, size: Any, cache: Path) -> Parts:
    """Load a data set: its variant after a dash, images of this size; raise `MissingDataError`."""
    family, _, variant = data.partition("-")
    path = find(family, folder)
    try:
        return SOURCES[family].load(path, variant, seed, size, cache)
    except FileNotFoundError as error:
        raise MissingDataError(f"{error}\nThere must be {SOURCES[family].files}.") from error


def _cifar100(path: Path, variant: str, seed: int, size: Any, cache: Path) -> Parts:
    """Load CIFAR-100, all of it ("") or as the power law has it ("imb1.0", "bln1.0")."""
    train, test = (load_cifar100(path, subset=subset) for subset in ("train", "test"))
    rows, sizes = np.arange(len(train.target)), np.bincount(train.target)
    if not variant and sizes.min() != sizes.max():
        raise MissingDataError(
            "This takes all of CIFAR-100, whose classes are equally large; those of "
            f"{path} have from {sizes.min()} to {sizes.max()} training images."
        )
    if variant:
        rows = make_power_law_imbalance(
            train.target,
            float(variant[3:]),
            balanced=variant.startswith("bln"),
            random_state=seed,
        )
    X, X_test = (np.ascontiguousarray(images) for images in (train.data[rows], test.data))
    return Parts(X, train.target[rows], X_test, test.target)


def _cached(reader: Callable[..., Any], name: str) -> Callable[..., Parts]:
    """Make a loader of images in files, which keeps what it has decoded."""

    def load_parts(path: Path, variant: str, seed: int, size: Any, cache: Path) -> Parts:
        cache.mkdir(parents=True, exist_ok=True)
        end = f"{size[0]}x{size[1]}.npy"
        train, validation, test = (
            reader(path, subset=subset, size=size, cache=cache / f"{name}_{subset}_{end}")
            for subset in ("train", "validation", "test")
        )
        groups = {}
        if name == "deepfashion":
            groups = {
                group: np.flatnonzero(train.target_types == number)
                for number, group in enumerate(DEEPFASHION_GROUPS, start=1)
            }
        labels = (_labels(part.target) for part in (train, test, validation))
        y, y_test, y_val = labels
        names = train.target_names
        return Parts(train.data, y, test.data, y_test, validation.data, y_val, names, groups)

    return load_parts


def _labels(target: NDArray[np.int8]) -> NDArray:
    """Turn what is not known into NaN, where there is any."""
    if not (target < 0).any():
        return target
    return np.where(target < 0, np.nan, target).astype(np.float32)


def _xdomain(path: Path, variant: str, seed: int, size: Any, cache: Path) -> Parts:
    """Load X-Domain from tables of images and labels."""
    cache.mkdir(parents=True, exist_ok=True)
    read = {
        subset: load_attribute_table(
            path / f"{subset}.csv",
            targets=list(XDOMAIN_TARGETS),
            size=size,
            cache=cache / f"xdomain_{subset}_{size[0]}x{size[1]}.npy",
        )
        for subset in ("train", "validation", "test")
        if subset != "validation" or (path / "validation.csv").is_file()
    }
    train, test, validation = read["train"], read["test"], read.get("validation")
    held_out = (None, None) if validation is None else (validation.data, validation.target)
    parts = (train.data, train.target, test.data, test.target, *held_out)
    return Parts(*parts, list(XDOMAIN_TARGETS))


def _fashion(path: Path, variant: str, seed: int, size: Any, cache: Path) -> Parts:
    """Load the product photos that stand in for X-Domain."""
    with np.load(path) as file:
        X, Y, split, names = file["X"], file["Y"], file["split"], file["label_names"].tolist()
    Y = np.where(Y < 0, np.nan, Y)
    train, validation, test = (split == number for number in range(3))
    return Parts(X[train], Y[train], X[test], Y[test], X[validation], Y[validation], names)


DEEPFASHION_GROUPS = ("texture", "fabric", "shape", "part", "style")
SOURCES = {
    "cifar100": Source(
        tuple(
            inner + name
            for inner in ("", "images/")
            for name in ("cifar-100-binary", "cifar-100-python")
        ),
        "train.bin, test.bin, fine_label_names.txt, coarse_label_names.txt (binary version), or "
        "train, test, meta (Python version)",
        "CIFAR-100, https://www.cs.toronto.edu/~kriz/cifar.html",
        _cifar100,
    ),
    "celeba": Source(
        ("celeba", "CelebA"),
        "list_attr_celeba.txt, list_eval_partition.txt, and the images in img_align_celeba/",
        "CelebA, https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        _cached(load_celeba, "celeba"),
    ),
    "xdomain": Source(
        ("x-domain",),
        f"train.csv and test.csv (and validation.csv, if any), with the columns image (a path), "
        f"{', '.join(XDOMAIN_TARGETS)}, and the images",
        "X-Domain, Chen et al., CVPR 2015, from its authors",
        _xdomain,
    ),
    "deepfashion": Source(
        ("deepfashion", "DeepFashion"),
        "Anno/list_attr_img.txt, Anno/list_attr_cloth.txt, Eval/list_eval_partition.txt, and the "
        "images in Img/img/",
        "DeepFashion, https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion.html",
        _cached(load_deepfashion, "deepfashion"),
    ),
    "fashion": Source(
        ("images/fashion_products_32.npz", "fashion_products_32.npz"),
        "an .npz file of X (n, 3, 32, 32), Y (n, 7), split (0 train, 1 validation, 2 test) and "
        "label_names",
        "product photos with seven attributes, which stand in for X-Domain",
        _fashion,
    ),
}
