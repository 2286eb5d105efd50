"""From samples and labels as they are given to coded samples, and back where a fit fails."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Dataset

from sk_crl._checks import check_sample_weight, generator_state, set_generator_state
from sk_crl._labels import Labels
from sk_crl._sample_checks import validate_samples
from sk_crl._samples import Labelled, Samples

if TYPE_CHECKING:
    from sk_crl._targets import Targets


class SampleReader(ABC):
    """Base of estimators that take samples from arrays and data sets, and labels of their own kind.

    A fit reads what it is given, learns `_targets` from the labels, and then encodes them.
    """

    num_workers: int = 0  # processes that read a data set, where that is no parameter
    _targets: Targets
    _sample_shape: tuple[int, ...]

    @abstractmethod
    def _read_labels(self, y: Any, name: str = "y") -> Labels:
        """Read labels, those of one target or of several."""

    def _validated(
        self,
        X: ArrayLike | Dataset,
        y: Any,
        sample_weight: ArrayLike | None,
        *,
        reset: bool,
        of: str = "",
    ) -> Labelled:
        """Check samples, labels and weights; those of weight 0 are as good as absent."""
        X = self._checked_samples(X, reset=reset, name=f"X{of}")
        if y is None and isinstance(X, Dataset):
            from sk_crl.training._sources import read_labels

            y = read_labels(X, self.num_workers)
        labels = self._read_labels(y, f"y{of}")
        if len(labels) != len(X):
            raise ValueError(
                f"y{of} must have one row for every sample of X{of}; got {len(labels)} "
                f"rows for {len(X)} samples."
            )
        weight = check_sample_weight(sample_weight, len(X))
        rows = np.flatnonzero(weight)
        if len(rows) < len(X):
            labels, weight = labels.take(rows), weight[rows]
        is_labelled = ~np.all([column.is_missing for column in labels.columns], axis=0)
        X = self._encoded_samples(X, learn_from=rows[is_labelled] if reset else None)
        return Labelled(X, rows, labels, weight)

    def _checked_samples(
        self, X: ArrayLike | Dataset, *, reset: bool, name: str = "X"
    ) -> NDArray | Dataset:
        """Check samples, and that they are like those before."""
        return validate_samples(self, X, reset=reset, name=name)

    def _encoded_samples(
        self, X: NDArray | Dataset, learn_from: NDArray | None = None
    ) -> NDArray | Dataset:
        """Turn checked samples into what networks are given, learning from some rows how to."""
        return X

    def _encoded(self, given: Labelled, of: str = "") -> Samples:
        """Turn labels into codes; drop samples that have no label at all."""
        codes = self._targets.encode(given.labels, f"y{of}")
        samples = Samples(given.X, given.rows, codes, given.weight)
        is_labelled = (samples.codes >= 0).any(axis=1)
        if not is_labelled.any():
            raise ValueError(f"y{of} has no label at all.")
        return samples if is_labelled.all() else samples.take(is_labelled)

    def _publish_targets(self) -> None:
        """Set the fitted attributes that describe several targets."""
        self.n_outputs_ = len(self._targets.classes)
        vars(self).pop("target_names_in_", None)
        if self._targets.names is not None:
            self.target_names_in_ = np.empty(self.n_outputs_, dtype=object)
            self.target_names_in_[:] = self._targets.names


@contextmanager
def unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Put all attributes back where a fit fails: what was fitted before stays as it was."""
    state, generator = dict(vars(estimator)), getattr(estimator, "random_state", None)
    drawn_from = generator_state(generator)
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(state)
        set_generator_state(generator, drawn_from)
        raise
