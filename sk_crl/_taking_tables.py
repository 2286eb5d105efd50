"""Raw tables as samples: what a network for tables is given is learned inside of `fit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import validate_data
from torch import nn
from torch.utils.data import Dataset

from sk_crl._base import NetworkClassifier
from sk_crl._parameters import replace_kwargs
from sk_crl._table_encoder import TableEncoder


class TakingTables(NetworkClassifier):
    """Classifiers that encode raw tables where their network is one for tables."""

    _encoder: TableEncoder | None

    @replace_kwargs(by=NetworkClassifier.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module] = "table",
        *,
        categorical_features: ArrayLike | str | None = "from_dtype",
        **kwargs,
    ):
        self.categorical_features = categorical_features
        super().__init__(module, **kwargs)

    def _checked_samples(self, X: ArrayLike | Dataset, *, reset: bool, name: str = "X") -> Any:
        if reset:
            is_for_tables = self._built_module() == "table"
            self._encoder = TableEncoder(self.categorical_features) if is_for_tables else None
        if self._encoder is None:
            return super()._checked_samples(X, reset=reset, name=name)
        if not hasattr(X, "shape"):
            X = np.asarray(X, dtype=None if _are_numbers(X) else object)
        validate_data(self, X, reset=reset, skip_check_array=True)
        return X

    def _encoded_samples(self, X: Any, learn_from: NDArray | None = None) -> Any:
        if self._encoder is None:
            return X
        if learn_from is not None:
            self._encoder.fit(X if len(learn_from) == len(X) else _take(X, learn_from))
            self._sample_shape = (len(self._encoder.source_columns_),)
        return self._encoder.transform(X)

    def _told_of_samples(self) -> dict[str, Any]:
        return {} if self._encoder is None else {"cardinalities": self._encoder.cardinalities_}


def _take(X: Any, rows: NDArray) -> Any:
    """Select rows of an array or a data frame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _are_numbers(X: Any) -> bool:
    """Whether NumPy makes numbers of lists."""
    return np.asarray(X).dtype.kind in "biuf"
