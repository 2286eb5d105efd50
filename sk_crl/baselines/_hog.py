"""Histograms of oriented gradients, and the nearest images by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch.utils.data import Dataset

from sk_crl._checks import check_choice, check_integer
from sk_crl._extras import import_extra
from sk_crl._reading import unchanged_on_error
from sk_crl._sample_checks import validate_samples
from sk_crl.baselines._neighbors import check_weights, fit_neighbors
from sk_crl.baselines._per_target import PerTargetClassifier
from sk_crl.training._sources import make_source

CHANNELS = ("auto", "first", "last")
_BATCH = 64  # images in memory at a time, of those that are not there already
_COLOURS = (1, 3)  # how many channels images have, where nobody says which axis has them


class HOGKNNClassifier(PerTargetClassifier, BaseEstimator):
    """Histograms of oriented gradients and k nearest neighbours, for one target or several.

    What Dong, Gong and Zhu compare networks to that learn their features. The nearest training
    images decide, for every target those that have a label of it.

    It needs scikit-image, which the extra ``images`` installs.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of training images that decide. Where there are fewer, all do, which a warning says.
    weights : {"uniform", "distance"} or callable, default="uniform"
        How much each of them counts, as in `sklearn.neighbors.KNeighborsClassifier`.
    orientations : int, default=9
        Bins of the histograms.
    pixels_per_cell : int, default=8
        Height and width of a cell, each of which has a histogram, in pixels.
    cells_per_block : int, default=2
        Height and width, in cells, of the blocks in which histograms are normalised.
    channels : {"auto", "first", "last"}, default="auto"
        Where images of three dimensions have their channels. "auto" takes the first dimension of 1
        or 3, and else the last.
    missing_label : number or str, optional
        For several targets: a label that stands for none, beside NaN, None and NA.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of them
        The labels, sorted; a list for labels of two dimensions.
    neighbors_ : list of KNeighborsClassifier
        What decides, for every target; its classes are places among `classes_`.
    n_outputs_ : int
        Number of targets.
    target_names_in_ : ndarray of shape (n_outputs_,)
        Names of the targets, where y was a data frame.
    n_features_in_ : int
        Length of the first dimension of an image.

    Raises
    ------
    ImportError
        Without scikit-image; the message names the extra.
    ValueError
        For parameters outside their range, for what are no images, and for images smaller than a
        block. A fit that fails leaves the estimator as it was.

    See Also
    --------
    skimage.feature.hog : The features, with their other settings left as they are there.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_crl.baselines import HOGKNNClassifier
    >>> digits = load_digits()
    >>> model = HOGKNNClassifier(pixels_per_cell=2).fit(digits.images[:1200], digits.target[:1200])
    >>> print(f"{model.score(digits.images[1200:], digits.target[1200:]):.2f}")
    0.89
    """

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        weights: str | Callable = "uniform",
        orientations: int = 9,
        pixels_per_cell: int = 8,
        cells_per_block: int = 2,
        channels: str = "auto",
        missing_label: float | str | None = None,
    ):
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.orientations = orientations
        self.pixels_per_cell = pixels_per_cell
        self.cells_per_block = cells_per_block
        self.channels = channels
        self.missing_label = missing_label

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: ArrayLike | Dataset, y: Any = None) -> HOGKNNClassifier:
        """Keep the features of images, and their labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, h, w), (n_samples, c, h, w) or (n_samples, h, w, c), \
                or Dataset
            Training images.
        y : array-like, data frame or sparse array, optional
            Their labels, of shape (n_samples,), or (n_samples, n_targets) for several targets,
            where labels may be missing. None reads those of a data set.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For what cannot be learned from, and for parameters outside their range; nothing is
            changed then.
        """
        with unchanged_on_error(self):
            for name in ("n_neighbors", "orientations", "pixels_per_cell", "cells_per_block"):
                check_integer(name, getattr(self, name), 1)
            check_weights(self.weights)
            check_choice("channels", self.channels, CHANNELS)
            samples = self._learn_samples(X, y)
            features, titles = self._features(samples.X, samples.rows), self._targets.titles
            self.neighbors_ = fit_neighbors(
                [features] * len(titles), samples.codes, titles, self.n_neighbors, self.weights
            )
        return self

    def _features(self, X: NDArray | Dataset, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compute the features of checked images, the rows that are listed."""
        batches = make_source(X, torch.device("cpu")).batches(torch.from_numpy(rows), _BATCH)
        return np.concatenate([self._histograms(images.numpy()) for images in batches])

    def _histograms(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the features of some images."""
        feature = import_extra("skimage.feature", "images", type(self).__name__)
        axis = self._channel_axis(images.shape)
        height, width = (n for i, n in enumerate(images.shape[1:]) if i != axis)
        block = self.pixels_per_cell * self.cells_per_block
        if min(height, width) < block:
            raise ValueError(
                f"X has images of {height} by {width} pixels, smaller than a block of "
                f"{self.cells_per_block} by {self.cells_per_block} cells of {self.pixels_per_cell} "
                "pixels; lower pixels_per_cell or cells_per_block."
            )
        return np.array(
            [
                feature.hog(
                    image,
                    orientations=self.orientations,
                    pixels_per_cell=(self.pixels_per_cell,) * 2,
                    cells_per_block=(self.cells_per_block,) * 2,
                    channel_axis=axis,
                )
                for image in images
            ]
        )

    def _channel_axis(self, shape: tuple[int, ...]) -> int | None:
        """Find the axis of an image that has its channels, None for grey images."""
        if len(shape) == 3:
            return None
        if len(shape) != 4:
            raise ValueError(
                "X must hold images, of shape (n_samples, h, w), (n_samples, c, h, w) or "
                f"(n_samples, h, w, c); got shape {shape}."
            )
        if self.channels != "auto":
            return 0 if self.channels == "first" else 2
        if shape[1] in _COLOURS or shape[3] in _COLOURS:
            return 0 if shape[1] in _COLOURS else 2
        raise ValueError(
            f"X has images of shape {shape[1:]}, with 1 or 3 channels at neither end; say where "
            "they are with channels='first' or channels='last'."
        )

    def _features_of(self, X: ArrayLike | Dataset) -> NDArray[np.float32]:
        """Check images to predict for, and compute their features."""
        check_is_fitted(self, "neighbors_")
        X = validate_samples(self, X, reset=False)
        return self._features(X, np.arange(len(X)))

    def _codes(self, X: ArrayLike) -> NDArray[np.int64]:
        features = self._features_of(X)
        return np.column_stack([neighbors.predict(features) for neighbors in self.neighbors_])

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """Compute the share of every class among the neighbours.

        Parameters
        ----------
        X : array-like of shape (n_samples, h, w), (n_samples, c, h, w) or (n_samples, h, w, c)
            Images.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or a list of them
            Columns in the order of `classes_`; a list for labels of two dimensions.
        """
        features = self._features_of(X)
        shares = [neighbors.predict_proba(features) for neighbors in self.neighbors_]
        return shares[0] if self._has_one_target else shares
