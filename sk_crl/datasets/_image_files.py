"""Image files, read when they are asked for, and kept at one size."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from sk_crl._checks import check_integer
from sk_crl._extras import import_extra

_AT_ONCE = 64  # images between two writes


class ImageFiles(Dataset):
    """Images in files, decoded and resized one by one, when they are asked for.

    `CRLClassifier` and `MultiOutputCRLClassifier` take it as `X`; ``num_workers`` processes then
    read ahead. Whoever trains for more than a few epochs decodes only once by `cached`.

    Parameters
    ----------
    paths : sequence of path-like
        The files, in any format that Pillow reads.
    size : tuple of int
        Height and width to resize to, in pixels.
    lines : sequence of str, optional
        Where each file is listed, for messages, such as ``"line 3 of list.txt"``.

    Attributes
    ----------
    paths : list of Path
        The files.
    shape : tuple of int
        Shape of every image, (3, height, width): red, green and blue.

    Raises
    ------
    FileNotFoundError
        For files that are missing; the message counts them and names the first.
    ImportError
        Without Pillow, which the extra ``images`` installs.
    ValueError
        For sizes that are none, no files, and, when it is read, for a file that is no image or is
        cut off.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from sk_crl.datasets import ImageFiles
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "red.png"
    ...     Image.new("RGB", (178, 218), "red").save(path)
    ...     images = ImageFiles([path], size=(55, 47))
    ...     images[0].shape, images[0][:, 0, 0]
    (torch.Size([3, 55, 47]), tensor([255,   0,   0], dtype=torch.uint8))
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike],
        size: tuple[int, int],
        lines: Sequence[str] | None = None,
    ):
        import_extra("PIL.Image", "images", "ImageFiles")
        if not isinstance(size, Sequence) or len(size) != 2:
            raise ValueError(f"size must be a height and a width in pixels; got {size!r}.")
        for name, value in zip(("height", "width"), size, strict=True):
            check_integer(name, value, 1)
        self.paths = [Path(path) for path in paths]
        self.shape = (3, int(size[0]), int(size[1]))
        self.lines = lines
        if not self.paths:
            raise ValueError("paths must name at least one file; got none.")
        missing = [i for i, path in enumerate(self.paths) if not path.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{len(missing)} of {len(self.paths)} images are missing, first "
                f"{self._named(missing[0])}."
            )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        """Read an image as uint8, (3, height, width)."""
        from PIL import Image

        _, height, width = self.shape
        try:
            with Image.open(self.paths[index]) as file:
                file.draft("RGB", (width, height))  # JPEG decodes at a fraction of its size
                image = file.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(
                f"{self._named(index)} cannot be read as an image, it may be cut off: {error}."
            ) from error
        return torch.from_numpy(np.array(image).transpose(2, 0, 1).copy())

    def _named(self, index: int) -> str:
        """Say which file, and where it is listed."""
        where = "" if self.lines is None else f" ({self.lines[index]})"
        return f"{self.paths[index]}{where}"

    def cached(
        self, path: str | os.PathLike, *, num_workers: int = 0, verbose: bool = False
    ) -> NDArray[np.uint8]:
        """Decode all images once into a file of NumPy's, and map it into memory.

        Parameters
        ----------
        path : path-like
            The file, such as ``"images_64x64.npy"``. Where it holds these images at this size
            already, nothing is decoded; a file beside it (``.json``) says what it holds. What was
            stopped halfway goes on.
        num_workers : int, default=0
            Processes that decode.
        verbose : bool, default=False
            Whether to show a progress bar.

        Returns
        -------
        numpy.memmap of uint8, shape (n_images, 3, height, width)
            The images, on disk.

        Raises
        ------
        ValueError
            Where the file holds something else, and for a file that is no image.
        """
        path, noted = Path(path), Path(f"{path}.json")
        holds = {"images": self._fingerprint(), "shape": [len(self), *self.shape]}
        note = json.loads(noted.read_text()) if noted.is_file() else None
        if (path.exists() or note) and (note is None or {k: note[k] for k in holds} != holds):
            raise ValueError(
                f"{path} holds other images, or these at another size. Remove it and {noted.name}, "
                "or name another file."
            )
        if note is None or not path.is_file():
            note = holds | {"n_done": 0}
            _write_note(noted, note)
            np.lib.format.open_memmap(path, "w+", np.uint8, tuple(holds["shape"])).flush()
        if note["n_done"] < len(self):
            self._decode(path, noted, note, num_workers, verbose)
        images = np.load(path, mmap_mode="r")
        if list(images.shape) != holds["shape"]:
            raise ValueError(f"{path} has been changed: remove it and {noted.name}.")
        return images

    def _decode(self, path: Path, noted: Path, note: dict, num_workers: int, verbose: bool) -> None:
        """Write the images that are not there yet."""
        images, done = np.load(path, mmap_mode="r+"), note["n_done"]
        left = range(done, len(self))
        loader = DataLoader(
            self,
            batch_sampler=[left[i : i + _AT_ONCE] for i in range(0, len(left), _AT_ONCE)],
            num_workers=num_workers,
            generator=torch.Generator(),  # the global one would move on
        )
        with tqdm(total=len(self), initial=done, unit="image", disable=not verbose) as bar:
            for batch in loader:
                images[done : done + len(batch)] = batch.numpy()
                images.flush()
                done += len(batch)
                _write_note(noted, note | {"n_done": done})
                bar.update(len(batch))

    def _fingerprint(self) -> str:
        """Tell these files from others, by their names and sizes."""
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        return digest.hexdigest()


def _write_note(path: Path, note: dict) -> None:
    """Write what a file holds, at once or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(note))
    partial.replace(path)
