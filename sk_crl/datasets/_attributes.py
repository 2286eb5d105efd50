"""Images with attributes: CelebA, DeepFashion, and any table of paths and labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sk_crl._checks import check_choice
from sk_crl._extras import import_extra
from sk_crl._labels import read_labels, short
from sk_crl.datasets._image_files import ImageFiles
from sk_crl.datasets._lists import read_attributes, read_lines, read_partition

CELEBA_PARTS = {"train": "0", "validation": "1", "test": "2"}
DEEPFASHION_PARTS = {"train": "train", "validation": "val", "test": "test"}
DEEPFASHION_TYPES = ("1", "2", "3", "4", "5")
HEAD = 1  # lines of a CSV before its first row


def load_celeba(
    folder: str | os.PathLike,
    *,
    subset: str = "train",
    size: tuple[int, int] = (55, 47),
    cache: str | os.PathLike | None = None,
    num_workers: int = 0,
) -> Bunch:
    """Read CelebA (Liu et al., 2015) from its official files: 40 binary attributes of faces.

    Parameters
    ----------
    folder : path-like
        Holds ``list_attr_celeba.txt``, ``list_eval_partition.txt`` and the folder
        ``img_align_celeba``, as of https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.
    subset : {"train", "validation", "test"}, default="train"
        The part of the official partition.
    size : tuple of int, default=(55, 47)
        Height and width to resize to; the default is the input of DeepID2.
    cache : path-like, optional
        File that keeps the resized images, see `ImageFiles.cached`.
    num_workers : int, default=0
        Processes that fill the cache.

    Returns
    -------
    sklearn.utils.Bunch
        ``data``: `ImageFiles`, or with `cache` a memmap, of uint8, (n_images, 3, height, width);
        ``target``: ndarray of int8, shape (n_images, 40), 1 where a face has the attribute and 0
        where not; ``target_names``: their names; ``paths``: the files.

    Raises
    ------
    FileNotFoundError
        For files that are missing.
    ValueError
        For a list that is cut off, and for attributes that are neither 1 nor -1; the message names
        file and line.

    Examples
    --------
    >>> from sk_crl import MultiOutputCRLClassifier
    >>> from sk_crl.datasets import load_celeba
    >>> faces = load_celeba("CelebA", cache="celeba_55x47.npy", num_workers=4)  # doctest: +SKIP
    >>> MultiOutputCRLClassifier("deepid2").fit(faces.data, faces.target)  # doctest: +SKIP
    """
    check_choice("subset", subset, tuple(CELEBA_PARTS))
    folder = Path(folder)
    attributes, partition = folder / "list_attr_celeba.txt", folder / "list_eval_partition.txt"
    images, names, table = read_attributes(attributes)
    part_of = read_partition(partition, False, tuple(CELEBA_PARTS.values()))
    chosen = _rows_of(images, part_of, CELEBA_PARTS[subset], partition)
    files = ImageFiles(
        [folder / "img_align_celeba" / images[i] for i in chosen],
        size,
        [f"line {i + 3} of {attributes.name}" for i in chosen],
    )
    return _bunch(files, table[chosen], names, cache, num_workers)


def load_deepfashion(
    folder: str | os.PathLike,
    *,
    subset: str = "train",
    size: tuple[int, int] = (224, 224),
    cache: str | os.PathLike | None = None,
    num_workers: int = 0,
) -> Bunch:
    """Read the attributes of DeepFashion (Liu et al., 2016) from its official files.

    Parameters
    ----------
    folder : path-like
        Holds ``Anno/list_attr_img.txt``, ``Anno/list_attr_cloth.txt``,
        ``Eval/list_eval_partition.txt`` and the folder ``Img/img`` (or all of them, and ``img``,
        directly) of the benchmark for category and attribute prediction, as of
        https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion.html.
    subset : {"train", "validation", "test"}, default="train"
        The part of the official partition.
    size : tuple of int, default=(224, 224)
        Height and width to resize to.
    cache : path-like, optional
        File that keeps the resized images, see `ImageFiles.cached`.
    num_workers : int, default=0
        Processes that fill the cache.

    Returns
    -------
    sklearn.utils.Bunch
        ``data``: `ImageFiles`, or with `cache` a memmap, of uint8, (n_images, 3, height, width);
        ``target``: ndarray of int8, shape (n_images, n_attributes), 1, 0, or -1 where an attribute
        is not known (pass ``missing_label=-1``); ``target_names``: their names;
        ``target_types``: ndarray of int64, 1 for texture, 2 fabric, 3 shape, 4 part, 5 style;
        ``paths``: the files.

    Raises
    ------
    FileNotFoundError
        For files that are missing.
    ValueError
        For a list that is cut off, and for attributes that are not 1, -1 or 0; the message names
        file and line.

    Examples
    --------
    >>> from sk_crl import MultiOutputCRLClassifier
    >>> from sk_crl.datasets import load_deepfashion
    >>> clothes = load_deepfashion("DeepFashion", cache="clothes.npy")  # doctest: +SKIP
    >>> model = MultiOutputCRLClassifier("resnet50", missing_label=-1)  # doctest: +SKIP
    >>> model.fit(clothes.data, clothes.target)  # doctest: +SKIP
    """
    check_choice("subset", subset, tuple(DEEPFASHION_PARTS))
    folder = Path(folder)
    annotations = _inner(folder, "Anno")
    attributes = annotations / "list_attr_img.txt"
    partition = _inner(folder, "Eval") / "list_eval_partition.txt"
    lines = read_lines(annotations / "list_attr_cloth.txt", has_count=True)
    next(lines)
    names, types = _names_and_types(lines, annotations / "list_attr_cloth.txt")
    images, names, table = read_attributes(attributes, names)
    part_of = read_partition(partition, True, tuple(DEEPFASHION_PARTS.values()))
    chosen = _rows_of(images, part_of, DEEPFASHION_PARTS[subset], partition)
    files = ImageFiles(
        [_inner(folder, "Img") / images[i] for i in chosen],
        size,
        [f"line {i + 3} of {attributes.name}" for i in chosen],
    )
    clothes = _bunch(files, table[chosen], names, cache, num_workers)
    clothes.target_types = types
    return clothes


def _names_and_types(
    lines: Iterable[tuple[int, str]], path: Path
) -> tuple[list[str], NDArray[np.int64]]:
    """Read names of attributes, which may have blanks, and the number of a type after each."""
    names, types = [], []
    for number, line in lines:
        name, _, kind = line.rstrip().rpartition(" ")
        if not name.strip() or kind not in DEEPFASHION_TYPES:
            raise ValueError(
                f"{path}, line {number} must be a name and its type, one of "
                f"{', '.join(DEEPFASHION_TYPES)}; got {line[:50]!r}."
            )
        names.append(name.strip())
        types.append(int(kind))
    return names, np.array(types)


def load_attribute_table(
    table: str | os.PathLike,
    *,
    image: str = "image",
    targets: Sequence[str] | None = None,
    classes: Mapping[str, Sequence] | None = None,
    folder: str | os.PathLike | None = None,
    size: tuple[int, int] = (64, 64),
    cache: str | os.PathLike | None = None,
    num_workers: int = 0,
) -> Bunch:
    """Read images and their labels from a table with a row for every image, as X-Domain would be.

    Parameters
    ----------
    table : path-like
        A CSV (``.csv``) or Parquet (``.parquet``) file.
    image : str, default="image"
        The column of the images' paths.
    targets : sequence of str, optional
        The columns of the labels, by default all others. Labels may be missing.
    classes : dict, optional
        The labels that a target may have, where that is to be checked.
    folder : path-like, optional
        What relative paths start from; by default the folder of the table.
    size : tuple of int, default=(64, 64)
        Height and width to resize to.
    cache : path-like, optional
        File that keeps the resized images, see `ImageFiles.cached`.
    num_workers : int, default=0
        Processes that fill the cache.

    Returns
    -------
    sklearn.utils.Bunch
        ``data``: `ImageFiles`, or with `cache` a memmap, of uint8, (n_images, 3, height, width);
        ``target``: data frame of shape (n_images, n_targets); ``target_names``: its columns;
        ``paths``: the files.

    Raises
    ------
    FileNotFoundError
        For a table or images that are missing.
    ImportError
        Without pandas, which the extra ``evaluation`` installs.
    ValueError
        For columns that are missing, and for a label that `classes` does not list; the message
        names file and line.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from sk_crl.datasets import load_attribute_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("a.png", "b.png"):
    ...         Image.new("RGB", (80, 60)).save(Path(folder) / name)
    ...     table = Path(folder) / "clothes.csv"
    ...     lines = ["image,colour,sleeve", "a.png,red,long", "b.png,,short"]
    ...     _ = table.write_text("\\n".join(lines))
    ...     clothes = load_attribute_table(table, size=(32, 32))
    >>> clothes.target
      colour sleeve
    0    red   long
    1    NaN  short
    """
    pandas = import_extra("pandas", "evaluation", "load_attribute_table")
    table = Path(table)
    readers = {".csv": pandas.read_csv, ".parquet": pandas.read_parquet}
    if table.suffix not in readers:
        raise ValueError(f"table must be a file of {' or '.join(readers)}; got {table.name!r}.")
    if not table.is_file():
        raise FileNotFoundError(f"{table} is missing.")
    frame = readers[table.suffix](table)
    targets = [c for c in frame.columns if c != image] if targets is None else list(targets)
    lacking = [name for name in (image, *targets) if name not in frame.columns]
    if lacking or not targets:
        raise ValueError(
            f"{table} must have a column {image!r} of paths and columns of labels"
            f"{', with ' + ', '.join(map(repr, lacking)) if lacking else ''}; it has "
            f"{', '.join(map(repr, map(str, frame.columns)))}."
        )
    is_csv = table.suffix == ".csv"
    lines = [
        f"line {row + 1 + HEAD} of {table.name}" if is_csv else f"row {row} of {table.name}"
        for row in range(len(frame))
    ]
    unnamed = frame[image].isna().to_numpy()
    if unnamed.any():
        raise ValueError(f"{lines[unnamed.argmax()]} names no image in column {image!r}.")
    _check_classes(frame[targets], classes or {}, lines)
    root = table.parent if folder is None else Path(folder)
    files = ImageFiles([root / path for path in frame[image]], size, lines)
    return _bunch(files, frame[targets], targets, cache, num_workers)


def _check_classes(labels: Any, classes: Mapping[str, Sequence], lines: Sequence[str]) -> None:
    """Raise ValueError for a label that is none of its target's."""
    unknown = [name for name in classes if name not in labels.columns]
    if unknown:
        raise ValueError(f"classes names {unknown[0]!r}, which is no target.")
    for name, known in classes.items():
        (column,) = read_labels(labels[name])
        strange = ~column.is_missing & ~np.isin(column.values, list(known))
        if strange.any():
            row = int(strange.argmax())
            raise ValueError(
                f"{lines[row]}: {name!r} must be one of {short(np.array(list(known)))}; got "
                f"{column.values[row]!r}, and {strange.sum()} such labels in all."
            )


def _inner(folder: Path, name: str) -> Path:
    """Find an inner folder, whose files may also lie in the outer one."""
    return folder / name if (folder / name).is_dir() else folder


def _rows_of(
    images: Sequence[str], part_of: Mapping[str, str], part: str, path: Path
) -> NDArray[np.int64]:
    """Find the images of a part; raise ValueError for one that is in none."""
    lacking = [image for image in images if image not in part_of]
    if lacking:
        raise ValueError(
            f"{path} must say of every image which part it belongs to; {len(lacking)} are missing, "
            f"first {lacking[0]}. It may be cut off."
        )
    return np.flatnonzero([part_of[image] == part for image in images])


def _bunch(
    files: ImageFiles,
    target: Any,
    names: Sequence[str],
    cache: str | os.PathLike | None,
    num_workers: int,
) -> Bunch:
    """Put images, labels and names together."""
    data = files if cache is None else files.cached(cache, num_workers=num_workers)
    return Bunch(data=data, target=target, target_names=list(names), paths=files.paths)
