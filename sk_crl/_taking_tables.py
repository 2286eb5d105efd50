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
from sk_crl._table_columns import is_table, read_table
from sk_crl._table_encoder import TableEncoder


class TakingTables(NetworkClassifier):
    """Classifiers that encode raw tables where their network is one for tables."""

    _advice_on_scales = (
        "Scale the features, for instance with StandardScaler, or set module='table', which does "
        "so by itself."
    )
    _encoder: TableEncoder | None

    @replace_kwargs(by=NetworkClassifier.__init__)
    def __init__(
        self,
        module: str | Callable[..., nn.Module],
        *,
        categorical_features: ArrayLike | str | None = "from_dtype",
        **kwargs,
    ):
        self.categorical_features = categorical_features
        super().__init__(module, **kwargs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.module == "table"
        return tags

    def _checked_samples(self, X: ArrayLike | Dataset, *, reset: bool, name: str = "X") -> Any:
        if reset:
            is_for_tables = self._built_module() == "table"
            self._encoder = TableEncoder(self.categorical_features) if is_for_tables else None
        if self._encoder is None:
            return self._checked_numbers(X, reset=reset, name=name)
        if isinstance(X, Dataset):
            raise TypeError(
                f"{name} must be a table in memory, an array or a data frame, for several networks "
                "or module='table'; got a data set. Set n_members=1 and module='mlp', or another."
            )
        read_table(X).check_rows()  # an error of samples comes before one of labels
        if not hasattr(X, "shape"):
            X = np.asarray(X, dtype=None if _are_numbers(X) else object)
        validate_data(self, X, reset=reset, skip_check_array=True)
        return X

    def _checked_numbers(self, X: ArrayLike | Dataset, *, reset: bool, name: str) -> Any:
        """Check samples for a network that takes numbers; say what takes a table of others."""
        try:
            return super()._checked_samples(X, reset=reset, name=name)
        except (TypeError, ValueError) as error:
            # After the first fit names and number of columns may be what is wrong.
            if not (reset and is_table(X)):
                raise
            table = read_table(X)
            places = range(table.n_columns)
            strange = [place for place in places if not table.holds_numbers(place)]
            fault = str(error).rstrip(".")
            if strange:
                fault += f": {table.title(strange[0])} of {name} holds values that are no numbers"
            elif not any(map(table.has_missing, places)):
                raise
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{fault}. {self._advice_on_tables()}") from error

    def _advice_on_tables(self) -> str:
        """Say why the network takes numbers alone, and what takes tables of any columns."""
        return (
            f"module={self.module!r} takes numbers alone: set module='table', or encode categories "
            "and impute missing values before."
        )

    def _encoded_samples(self, X: Any, learn_from: NDArray | None = None) -> Any:
        if self._encoder is None:
            return X
        if learn_from is not None:
            # Without any row there is another error to come, that of the labels.
            some = 0 < len(learn_from) < len(X)
            self._encoder.fit(_take(X, learn_from) if some else X)
            self._sample_shape = (len(self._encoder.source_columns_),)
        return self._encoder.transform(X)

    def _arguments_from_samples(self) -> dict[str, Any]:
        return {} if self._encoder is None else {"cardinalities": self._encoder.cardinalities_}


def _take(X: Any, rows: NDArray) -> Any:
    """Select rows of an array or a data frame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _are_numbers(X: Any) -> bool:
    """Whether NumPy makes numbers of lists."""
    return np.asarray(X).dtype.kind in "biuf"
