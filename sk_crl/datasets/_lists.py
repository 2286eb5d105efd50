"""The text files in which data sets list images, attributes and partitions."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CODES = {"1": 1, "-1": 0, "0": -1}  # what the files say, and what it is here


def read_lines(path: Path, has_count: bool) -> Iterator[tuple[int, str]]:
    """Hand out the lines of a list with their numbers, and check that none is missing.

    Parameters
    ----------
    path : Path
        The list.
    has_count : bool
        Whether its first line says how many entries follow the second, which is a head.

    Raises
    ------
    FileNotFoundError
        Where the file is missing.
    ValueError
        Where it has fewer or more lines than it says.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing.")
    with path.open(encoding="utf-8") as file:
        n_expected = None
        if has_count:
            first = file.readline().strip()
            if not first.isdecimal():
                raise ValueError(
                    f"{path}, line 1 must say how many entries the file has; got {first[:50]!r}."
                )
            n_expected = int(first)
            yield 2, file.readline().rstrip("\n")
        n_found = 0
        for number, line in enumerate(file, 3 if has_count else 1):
            if line.strip():
                n_found += 1
                yield number, line.rstrip("\n")
    if n_expected not in (None, n_found):
        raise ValueError(
            f"{path} must have {n_expected} entries, as its line 1 says; it has {n_found}. It may "
            "be cut off."
        )


def read_attributes(
    path: Path, names: Sequence[str] | None = None
) -> tuple[list[str], list[str], NDArray[np.int8]]:
    """Read a list of images with attributes of -1, 1 and, where it is not known, 0.

    Parameters
    ----------
    path : Path
        The list: a count, a head, and lines of an image and its attributes.
    names : sequence of str, optional
        Names of the attributes, where the head does not tell them.

    Returns
    -------
    list of str
        The images.
    list of str
        Names of the attributes.
    ndarray of int8, shape (n_images, n_attributes)
        1 where an image has an attribute, 0 where it has not, -1 where nobody knows.
    """
    lines = read_lines(path, has_count=True)
    _, head = next(lines)
    names = head.split() if names is None else list(names)
    images, codes = [], array("b")  # a million images of a thousand attributes fill it, no list
    for number, line in lines:
        image, *given = line.split()
        if len(given) != len(names):
            raise ValueError(
                f"{path}, line {number} must have {len(names)} attributes after the image; got "
                f"{len(given)}."
            )
        values = [CODES.get(value) for value in given]
        if None in values:
            place = values.index(None)
            raise ValueError(
                f"{path}, line {number}: {names[place]!r} must be 1, -1, or 0 where it is not "
                f"known; got {given[place]!r}."
            )
        images.append(image)
        codes.extend(values)
    table = np.frombuffer(codes, np.int8).reshape(len(images), len(names))
    return images, names, table


def read_partition(path: Path, has_count: bool, parts: Sequence[str]) -> dict[str, str]:
    """Read which part every image belongs to.

    Raises
    ------
    ValueError
        For a part that is none of `parts`, and for a line without one.
    """
    lines = read_lines(path, has_count)
    if has_count:
        next(lines)
    part_of = {}
    for number, line in lines:
        image, *part = line.split()
        if len(part) != 1 or part[0] not in parts:
            raise ValueError(
                f"{path}, line {number} must name an image and one of {', '.join(parts)}; got "
                f"{line[:80]!r}."
            )
        part_of[image] = part[0]
    return part_of
