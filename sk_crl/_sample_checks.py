"""Checks of the samples that an estimator is given: arrays in memory or on disk, and data sets."""

from __future__ import annotations

import warnings
from collections.abc import Sized
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import validate_data
from torch.utils.data import Dataset, IterableDataset

from sk_crl._checks import check_finite
from sk_crl._table_columns import checked_names
from sk_crl.training._sources import first_sample

if TYPE_CHECKING:
    from sk_crl._reading import SampleReader

FAR_OFF = 300.0


def validate_samples(
    estimator: SampleReader, X: ArrayLike | Dataset, *, reset: bool, name: str = "X"
) -> NDArray | Dataset:
    """Check samples, and that they have the shape of those before.

    Parameters
    ----------
    estimator : SampleReader
        The estimator, which keeps what it has to know of them.
    X : array-like of shape (n_samples, ...) or Dataset
        The samples.
    reset : bool
        Whether these are the first it sees.
    name : str, default="X"
        What messages call them.

    Returns
    -------
    ndarray or Dataset
        In float32 and C order; but what is on disk stays there, as it is, if PyTorch can read it.

    Raises
    ------
    ValueError
        For samples that are none, of another shape, or not finite, and for columns of a data frame
        that share a name.
    TypeError
        For a data set without a length or an index.
    """
    checked_names(X, name)  # scikit-learn refuses shared names, too, but says not where
    is_dataset = isinstance(X, Dataset)
    values = _checked_dataset(estimator, X, reset) if is_dataset else _checked(estimator, X, reset)
    if is_dataset:
        shape = tuple(first_sample(X).shape)
    else:
        names = getattr(estimator, "feature_names_in_", None)
        check_finite(name, values, names)
        shape = values.shape[1:]
    if reset:
        estimator._sample_shape = shape
        estimator.n_features_in_ = shape[0] if shape else 1
    elif shape != estimator._sample_shape:
        raise ValueError(
            f"{name} has samples of shape {shape}, but {type(estimator).__name__} was fitted with "
            f"samples of shape {estimator._sample_shape}."
        )
    return values


def warn_of_scales(X: NDArray | Dataset, names: ArrayLike | None, advice: str) -> None:
    """Warn of columns far from the scale that networks start from, and say what to do.

    Parameters
    ----------
    X : ndarray or Dataset
        Samples; only tables in memory are looked at.
    names : array-like of str, optional
        The names of their columns.
    advice : str
        What to do about it.

    Warns
    -----
    UserWarning
        Of the column whose root mean square is farthest beyond `FAR_OFF`.
    """
    if not isinstance(X, np.ndarray) or isinstance(X, np.memmap) or X.ndim != 2 or not X.size:
        return
    with np.errstate(over="ignore"):
        size = np.sqrt(np.einsum("ij,ij->j", X, X) / len(X))
    worst = int(size.argmax())
    if size[worst] > FAR_OFF:
        title = f"column {worst}" if names is None else f"column {names[worst]!r}"
        warnings.warn(
            f"Networks learn little from features on scales far from 1: the root mean square of "
            f"{title} of X is {size[worst]:.3g}. {advice}",
            UserWarning,
            stacklevel=4,
        )


def _checked(estimator: SampleReader, X: ArrayLike, reset: bool) -> NDArray:
    """Check an array; float32 and C order would copy one that is on disk into memory."""
    on_disk = isinstance(X, np.memmap) and _can_be_shared(X)
    form = {"dtype": "numeric"} if on_disk else {"dtype": np.float32, "order": "C"}
    with np.errstate(over="ignore"):  # what float32 cannot hold is found by looking at the values
        checked = validate_data(
            estimator, X, reset=reset, allow_nd=True, ensure_all_finite=False, **form
        )
    return X if on_disk else checked


def _can_be_shared(X: NDArray) -> bool:
    """Whether PyTorch can read an array where it is: in this byte order, type and spacing."""
    spaced = all(stride >= 0 and stride % X.itemsize == 0 for stride in X.strides)
    is_number = X.dtype.kind in "biuf" and X.dtype != np.longdouble
    return is_number and X.dtype.isnative and spaced and X.flags.aligned


def _checked_dataset(estimator: SampleReader, X: Dataset, reset: bool) -> Dataset:
    """Check that a data set can be read in any order."""
    if isinstance(X, IterableDataset) or not isinstance(X, Sized):
        raise TypeError(
            f"A data set must have a length and an index (__len__ and __getitem__); got {X!r}. "
            "Train on a stream with partial_fit, an array at a time."
        )
    if not len(X):
        raise ValueError("The data set has no sample.")
    if reset:
        vars(estimator).pop("feature_names_in_", None)
    return X
