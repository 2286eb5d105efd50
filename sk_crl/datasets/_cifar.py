"""CIFAR-100 as it is distributed."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sk_crl._checks import check_choice

LABELS = ("fine", "coarse", "both")
SUBSETS = ("train", "test")
SHAPE = (3, 32, 32)
N_CLASSES = {"coarse": 20, "fine": 100}
RECORD = np.dtype([("coarse", np.uint8), ("fine", np.uint8), ("image", np.uint8, SHAPE)])
# All that NumPy's arrays, and Python 2's strings, are made of in a pickle.
HARMLESS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}


class _Part(NamedTuple):
    """Images and labels of one subset."""

    images: NDArray[np.uint8]
    coarse: NDArray[np.uint8]
    fine: NDArray[np.uint8]


def load_cifar100(
    folder: str | os.PathLike, *, subset: str = "train", labels: str = "fine"
) -> Bunch:
    """Read CIFAR-100 (Krizhevsky, 2009) from its official files.

    Both layouts of https://www.cs.toronto.edu/~kriz/cifar.html are known: the binary one
    (``train.bin``, ``test.bin``, ``fine_label_names.txt``, ``coarse_label_names.txt``), whose
    images stay on disk, and the Python one (``train``, ``test``, ``meta``), which is read without
    running any code that a pickle may hold. Any number of images will do.

    Parameters
    ----------
    folder : path-like
        Where the files are.
    subset : {"train", "test"}, default="train"
        Which of them to read.
    labels : {"fine", "coarse", "both"}, default="fine"
        The 100 classes, the 20 superclasses, or both as two targets.

    Returns
    -------
    sklearn.utils.Bunch
        ``data``: ndarray or memmap of uint8, shape (n_images, 3, 32, 32), red, green and blue from
        0 to 255; ``target``: ndarray of int64, shape (n_images,), or (n_images, 2) with the
        superclasses first; ``target_names``: the names of the classes, of both targets a list each.

    Raises
    ------
    FileNotFoundError
        Where a file is missing; the message lists what belongs into the folder.
    ValueError
        For a file that is cut off or something else, and for a label outside its range; the message
        names the file and the place.

    Examples
    --------
    >>> from sk_crl.datasets import load_cifar100, make_power_law_imbalance
    >>> cifar = load_cifar100("cifar-100-binary")  # doctest: +SKIP
    >>> rows = make_power_law_imbalance(cifar.target)  # doctest: +SKIP
    >>> X, y = cifar.data[rows], cifar.target[rows]  # doctest: +SKIP
    """
    check_choice("subset", subset, SUBSETS)
    check_choice("labels", labels, LABELS)
    folder = Path(folder)
    if (folder / f"{subset}.bin").is_file():
        part = _read_binary(folder / f"{subset}.bin")
        names = {kind: _read_names(folder / f"{kind}_label_names.txt", kind) for kind in N_CLASSES}
    elif (folder / subset).is_file():
        part = _read_python(folder / subset)
        meta = _unpickle(folder / "meta")
        names = {
            kind: [_text(name) for name in meta.get(f"{kind}_label_names", ())]
            for kind in N_CLASSES
        }
    else:
        raise FileNotFoundError(
            f"{folder} holds neither {subset}.bin nor {subset}. Put the files of CIFAR-100's "
            "binary or Python version there: train.bin, test.bin, fine_label_names.txt and "
            "coarse_label_names.txt, or train, test and meta."
        )
    for kind, n_classes in N_CLASSES.items():
        if len(names[kind]) != n_classes:
            raise ValueError(
                f"{folder} must name {n_classes} {kind} labels; it names {len(names[kind])}."
            )
    targets = {kind: getattr(part, kind).astype(np.int64) for kind in N_CLASSES}
    if labels == "both":
        target, target_names = np.column_stack(list(targets.values())), list(names.values())
    else:
        target, target_names = targets[labels], names[labels]
    return Bunch(data=part.images, target=target, target_names=target_names)


def _read_binary(path: Path) -> _Part:
    """Map the records of the binary layout into memory."""
    size = path.stat().st_size
    if not size or size % RECORD.itemsize:
        raise ValueError(
            f"{path} is cut off, or no file of CIFAR-100: it must hold records of "
            f"{RECORD.itemsize} bytes; got {size} bytes, {size % RECORD.itemsize} after the last "
            "whole record."
        )
    records = np.memmap(path, RECORD, mode="r")
    part = _Part(records["image"], np.array(records["coarse"]), np.array(records["fine"]))
    _check_labels(path, part)
    return part


def _read_python(path: Path) -> _Part:
    """Read the pickle of the Python layout."""
    content = _unpickle(path)
    lacking = [k for k in ("data", "coarse_labels", "fine_labels") if k not in content]
    if lacking:
        raise ValueError(f"{path} is no file of CIFAR-100: it has no {', '.join(lacking)}.")
    images = np.asarray(content["data"])
    coarse, fine = (np.asarray(content[f"{kind}_labels"]) for kind in N_CLASSES)
    n_numbers = int(np.prod(SHAPE))
    if images.dtype != np.uint8 or images.shape != (len(fine), n_numbers):
        raise ValueError(
            f"{path} must hold images of uint8 in the shape ({len(fine)}, {n_numbers}), one for "
            f"every label; got {images.dtype} in the shape {images.shape}."
        )
    if coarse.shape != fine.shape:
        raise ValueError(f"{path} holds {len(fine)} fine labels but {len(coarse)} coarse ones.")
    part = _Part(images.reshape(-1, *SHAPE), coarse, fine)
    _check_labels(path, part)
    return part


def _check_labels(path: Path, part: _Part) -> None:
    """Raise ValueError for a label that names no class."""
    for kind, n_classes in N_CLASSES.items():
        given = getattr(part, kind)
        strange = (given < 0) | (given >= n_classes)
        if strange.any():
            raise ValueError(
                f"{path}: the {kind} label of image {strange.argmax()} is "
                f"{given[strange.argmax()]}, and must be from 0 to {n_classes - 1}; "
                f"{strange.sum()} such labels in all. The file is damaged, or no file of CIFAR-100."
            )


def _read_names(path: Path, kind: str) -> list[str]:
    """Read the names of classes, one in every line."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing, which names the {kind} labels.")
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


class _Harmless(pickle.Unpickler):
    """Load arrays, lists, dicts and strings, and call nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything that arrays are not made of."""
        if (module, name) not in HARMLESS:
            raise pickle.UnpicklingError(
                f"it wants to load {module}.{name}, which no file of CIFAR-100 needs"
            )
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _unpickle(path: Path) -> dict[str, Any]:
    """Load a dict by text, with nothing in it but data."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing, which belongs to the Python version.")
    try:
        with path.open("rb") as file:
            content = _Harmless(file, encoding="bytes").load()
    except Exception as error:  # pickles that are cut off raise errors of any kind
        raise ValueError(
            f"{path} cannot be read as a file of CIFAR-100's Python version: {error}."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a dict; got a {type(content).__name__}.")
    return {_text(key): value for key, value in content.items()}


def _text(value: Any) -> str:
    """Turn the strings of Python 2 into text."""
    return value.decode() if isinstance(value, bytes) else str(value)
