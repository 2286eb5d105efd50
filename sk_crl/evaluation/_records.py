"""Finished fits in a file: a line of JSON each, written at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

HEAD = {"sk_crl.evaluation": 1}  # the first line, with the version of the format
# What must be as it was, and what to call it when it is not.
IDENTITY = {
    "data": "other data",
    "rows": "other splits: rows of the training or the test part differ",
    "estimator": "another estimator, or other parameters of it",
    "random_state": "another random_state",
}

Key = tuple[str, str, int]


class Records:
    """The finished fits that a file holds, and a way to add to them.

    Parameters
    ----------
    path : path-like
        The file; it is made where there is none, and a last line without an end, whose writer was
        killed, is cut off.

    Raises
    ------
    ValueError
        If the file is something else, or a line of it is damaged.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.found = self._read() if self.path.exists() else {}
        self._file = self.path.open("a", encoding="utf-8", newline="\n")
        if not self.path.stat().st_size:
            self._write(HEAD)

    def __enter__(self) -> Records:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def take(self, key: Key, identity: dict[str, Any], scorers: Iterable[str]) -> dict | None:
        """Look a finished fit up; None where there is none.

        Parameters
        ----------
        key : tuple (str, str, int)
            Data set, method and number of the split.
        identity : dict
            Fingerprints of all that would change the fit, and under ``"scorers"`` of every scorer.
        scorers : iterable of str
            The scores that are wanted, beside anything else that the result must hold.

        Returns
        -------
        dict or None
            The result.

        Raises
        ------
        ValueError
            If the fit is of something else by the same name, or lacks what is wanted.
        """
        if key not in self.found:
            return None
        known, result = self.found[key]
        dataset, method, split = key
        fit = f"{self.path} holds a fit of method {method!r} on split {split} of {dataset!r}"
        advice = "Give what has changed another name, or choose another path."
        for part, change in IDENTITY.items():
            if known[part] != identity[part]:
                raise ValueError(f"{fit} with {change}. {advice}")
        for name in scorers:
            if known["scorers"].get(name) != identity["scorers"][name]:
                what = "by another scorer of the name" if name in known["scorers"] else "without"
                raise ValueError(f"{fit} {what} {name!r}. {advice}")
        return result

    def add(self, key: Key, identity: dict[str, Any], result: dict[str, Any]) -> None:
        """Write a finished fit, so that it is kept whatever happens next."""
        self._write({"key": key, "identity": identity, "result": result})

    def _write(self, line: dict[str, Any]) -> None:
        """Write a line through to the disk."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self) -> dict[Key, tuple[dict, dict]]:
        """Read all whole lines; the last of each fit counts."""
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.decode(errors="replace").splitlines()
        if (lines and _parse(lines[0]) != HEAD) or (
            content and not lines and not _is_torn(content)
        ):
            raise ValueError(
                f"{self.path} is no file of finished fits; its first line should be "
                f"{json.dumps(HEAD)}. Choose another path."
            )
        found = {}
        for number, line in enumerate(lines[1:], start=2):
            record = _parse(line)
            try:
                dataset, method, split = record["key"]
                found[dataset, method, split] = record["identity"], record["result"]
            except (TypeError, KeyError, ValueError):
                raise ValueError(
                    f"Line {number} of {self.path} is damaged. Remove it, and the fit is "
                    "done again."
                ) from None
        if whole != content:
            os.truncate(self.path, len(whole))
        return found


def _parse(line: str) -> Any:
    """Read a line; None where it is no JSON."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def _is_torn(content: bytes) -> bool:
    """Whether this is the beginning of the first line."""
    return json.dumps(HEAD).encode().startswith(content)
