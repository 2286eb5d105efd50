"""What an estimator knows of its targets: their classes, and the container of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_crl._containers import decode
from sk_crl._labels import Labels, short
from sk_crl._layout import ColumnLayout


@dataclass(frozen=True)
class Targets:
    """The targets that an estimator learns.

    Parameters
    ----------
    classes : list of ndarray
        The labels of every target, sorted.
    container : Labels
        What the labels came in, without rows.
    """

    classes: list[NDArray]
    container: Labels

    @classmethod
    def learn(cls, labels: Labels) -> Targets:
        """Take the labels that occur for the classes of every target."""
        return cls._checked(labels.classes(), labels)

    @classmethod
    def declare(cls, classes: Sequence[Labels], labels: Labels) -> Targets:
        """Take listed classes, those of every target in turn, for labels like these."""
        if len(classes) != len(labels.columns):
            raise ValueError(
                f"classes must list the classes of all {len(labels.columns)} targets; got those of "
                f"{len(classes)}."
            )
        return cls._checked([known.columns[0].classes() for known in classes], labels)

    @classmethod
    def _checked(cls, classes: list[NDArray], labels: Labels) -> Targets:
        for column, known in zip(labels.columns, classes, strict=True):
            if len(known) < 2:
                got = f"one class only: {known.tolist()[0]!r}" if len(known) else "no label at all"
                raise ValueError(f"{column.title} must have two classes or more; got {got}.")
        return cls(classes, labels.take(np.empty(0, dtype=int)))

    @property
    def titles(self) -> list[str]:
        """What messages call the targets."""
        return [column.title for column in self.container.columns]

    @property
    def layout(self) -> ColumnLayout:
        """How the classes of all targets share the columns of the scores."""
        return ColumnLayout(tuple(map(len, self.classes)))

    def encode(self, labels: Labels, name: str = "y") -> NDArray[np.int64]:
        """Turn labels into codes, (n_samples, n_targets), -1 where they are missing.

        Raises
        ------
        ValueError
            For other targets than those that were learned, and for labels that are no classes.
        """
        if len(labels.columns) != len(self.classes):
            raise ValueError(
                f"{name} has {len(labels.columns)} targets, but {len(self.classes)} were learned: "
                f"{', '.join(self.titles)}."
            )
        if None not in (labels.names, self.container.names) and labels.names != self.names:
            raise ValueError(
                f"The columns of {name} must be {list(self.names)}, in this order; got "
                f"{list(labels.names)}."
            )
        return labels.codes(self.classes, name)

    @property
    def names(self) -> tuple | None:
        """Names of the targets, where a data frame gave them."""
        return self.container.names

    def decode(self, codes: NDArray, index: Any = None) -> Any:
        """Turn codes back into labels, in the container they came in."""
        return decode(codes, self.classes, self.container, index)

    def check_same(self, classes: Sequence[Labels]) -> None:
        """Raise ValueError unless these are the classes that were learned."""
        declared = Targets.declare(classes, self.container)
        for title, known, got in zip(self.titles, self.classes, declared.classes, strict=True):
            if not np.array_equal(known, got):
                of = "" if title == "y" else f" of {title}"
                raise ValueError(
                    f"classes{of} must be those of the first call, {short(known)}; got "
                    f"{short(got)}."
                )
