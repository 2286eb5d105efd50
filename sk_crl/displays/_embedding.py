"""Where a network puts the samples of every class, in two dimensions (Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_crl._checks import draw_seed
from sk_crl._labels import LabelColumn, read_labels, short
from sk_crl.displays._figure import (
    COLORS,
    COLUMN,
    MARKERS,
    VERMILION,
    Display,
    legend_above,
    tidy,
    written,
)
from sk_crl.displays._reading import chosen_targets, target_titles
from sk_crl.displays._two_dimensions import checked_features, features_of, in_two_dimensions

_MOST_NAMED = 24


class FeatureEmbeddingDisplay(Display):
    """Features before the scores in two dimensions, coloured by class (the paper's Fig. 2).

    Small classes are drawn upon large ones. Make one by `from_estimator` or `from_features`.

    Parameters
    ----------
    coordinates : list of ndarray of shape (n_shown, 2)
        Places of the samples, for every target.
    labels : list of ndarray of shape (n_shown,)
        Their labels.
    axis_labels : list of tuple of 2 str
        What the axes are.
    target_names : list of str, optional
        The targets' names.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The axes, one for every target.
    figure_ : matplotlib Figure
        The figure.

    Raises
    ------
    ValueError
        For what are no labels, an unknown target, class or method, and estimators that make no
        features.
    ImportError
        Where matplotlib is missing: install the extra ``displays``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_crl import CRLClassifier
    >>> from sk_crl.displays import FeatureEmbeddingDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = CRLClassifier(n_members=1, max_epochs=5, random_state=0)
    >>> model = model.fit(X[:600] / 16, y[:600])
    >>> display = FeatureEmbeddingDisplay.from_estimator(
    ...     model, X[600:] / 16, y[600:], classes=[3, 8]
    ... )
    >>> display.coordinates[0].shape
    (237, 2)
    """

    def __init__(
        self,
        coordinates: Sequence[NDArray[np.float64]],
        labels: Sequence[NDArray],
        axis_labels: Sequence[tuple[str, str]],
        *,
        target_names: Sequence[str | None] | None = None,
    ):
        self.coordinates = list(coordinates)
        self.labels = list(labels)
        self.axis_labels = list(axis_labels)
        self.target_names = list(target_names or [None] * len(self.labels))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: Any,
        *,
        method: Any = "pca",
        classes: ArrayLike | None = None,
        target: Any = None,
        missing_label: Any = None,
        random_state: Any = None,
        ax: Any = None,
    ) -> FeatureEmbeddingDisplay:
        """Draw the features that a fitted estimator makes of samples.

        Parameters
        ----------
        estimator : CRLClassifier, LMLEClassifier, transformer or the like
            Fitted estimator with a method ``features`` or ``transform``, or a pipeline or search
            around one.
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples.
        y : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
            Their labels; samples without one are not shown.
        method : {"pca", "tsne"} or transformer, default="pca"
            How to get to two dimensions: scikit-learn's `PCA` or `TSNE`, or a transformer of your
            own, which is cloned.
        classes : array-like of labels, optional
            The classes to show; all by default.
        target : str or int, optional
            Which of several targets to draw, by name or place; all by default.
        missing_label : number or str, optional
            A further label that stands for none.
        random_state : int, RandomState, Generator or None, default=None
            Source of chance in ``"tsne"``, and in ``"pca"`` of large data.
        ax : matplotlib Axes or array of them, optional
            Where to draw, see `plot`.

        Returns
        -------
        FeatureEmbeddingDisplay
        """
        cls._check_ready()
        return cls.from_features(
            features_of(estimator, X),
            y,
            method=method,
            classes=classes,
            target=target,
            missing_label=missing_label,
            random_state=random_state,
            ax=ax,
        )

    @classmethod
    def from_features(
        cls,
        features: ArrayLike,
        y: Any,
        *,
        method: Any = "pca",
        classes: ArrayLike | None = None,
        target: Any = None,
        missing_label: Any = None,
        random_state: Any = None,
        ax: Any = None,
    ) -> FeatureEmbeddingDisplay:
        """Draw features of any origin.

        Parameters
        ----------
        features : array-like of shape (n_samples, d) or (n_samples, n_targets, d)
            Features that all targets share, or those of every target.
        y : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
            Labels; samples without one are not shown.
        method : {"pca", "tsne"} or transformer, default="pca"
            How to get to two dimensions, see `from_estimator`.
        classes : array-like of labels, optional
            The classes to show; all by default.
        target : str or int, optional
            Which of several targets to draw, by name or place; all by default.
        missing_label : number or str, optional
            A further label that stands for none.
        random_state : int, RandomState, Generator or None, default=None
            Source of chance.
        ax : matplotlib Axes or array of them, optional
            Where to draw, see `plot`.

        Returns
        -------
        FeatureEmbeddingDisplay
        """
        cls._check_ready()
        read = read_labels(y, missing_label)
        chosen = chosen_targets(target, read.names, len(read.columns))
        features = checked_features(features, read)
        seed = draw_seed(random_state)
        coordinates, labels, axis_labels = [], [], []
        for place in chosen:
            rows, shown = _shown(read.columns[place], classes)
            values = features[rows] if features.ndim == 2 else features[rows, place]
            embedded, axes = in_two_dimensions(values, method, seed)
            coordinates.append(embedded)
            labels.append(shown)
            axis_labels.append(axes)
        titles = target_titles(read)
        display = cls(coordinates, labels, axis_labels, target_names=[titles[i] for i in chosen])
        return display.plot(ax)

    def plot(self, ax: Any = None) -> FeatureEmbeddingDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, optional
            Where to draw, one Axes for every target; by default a new figure.

        Returns
        -------
        FeatureEmbeddingDisplay
            This display, with the attributes `ax_` and `figure_`.
        """
        for target, axes in enumerate(self._open(ax, len(self.labels), 0.95 * COLUMN)):
            self._draw(axes, target)
        return self

    def _draw(self, ax: Any, target: int) -> None:
        """Draw the samples of one target, class by class, the smallest class last."""
        labels, coordinates = self.labels[target], self.coordinates[target]
        known, counts = np.unique(labels, return_counts=True)
        order, names = np.argsort(-counts, kind="stable"), known.tolist()
        size = float(np.clip(3000 / len(labels), 3, 18))
        for rank, place in enumerate(order):
            here = coordinates[labels == known[place]]
            ax.scatter(
                here[:, 0],
                here[:, 1],
                s=size * (1 + 0.5 * rank / len(order)),
                color=_color(rank, len(order)),
                marker=MARKERS[rank % len(MARKERS)],
                edgecolors="white",
                linewidths=0.25,
                zorder=2 + rank,
                label=f"{written(names[place])} ({counts[place]:,})",
            )
        ax.set_aspect("equal", adjustable="datalim")
        ax.set_xlabel(self.axis_labels[target][0])
        ax.set_ylabel(self.axis_labels[target][1])
        tidy(ax)
        ax.set_xticks([])
        ax.set_yticks([])
        name = self.target_names[target]
        if len(known) <= _MOST_NAMED:
            legend_above(
                ax,
                True,
                title=f"{written(name or 'Class')} (samples)",
                ncols=min(3, len(known)),
                markerscale=1.4,
            )
        elif name is not None:
            ax.set_title(written(name), fontsize="small")


def _shown(column: LabelColumn, classes: ArrayLike | None) -> tuple[NDArray, NDArray]:
    """Find the samples to show, and their labels.

    Raises
    ------
    ValueError
        For classes that do not occur, and where fewer than three samples are left.
    """
    known = column.classes()
    is_shown = ~column.is_missing
    if classes is not None:
        listed = read_labels(classes, name="classes").columns[0].classes()
        strange = [label for label in listed.tolist() if label not in known.tolist()]
        if strange:
            raise ValueError(
                f"classes must be labels of {column.title}, {short(known)}; got {strange}."
            )
        is_shown = is_shown & np.isin(column.values, listed)
    rows = np.flatnonzero(is_shown)
    if len(rows) < 3:
        raise ValueError(f"{column.title} must have three labels or more; got {len(rows)}.")
    return rows, column.values[rows]


def _color(rank: int, n_classes: int) -> Any:
    """Choose the colour of a class: few are easily told apart, of many the smallest is darkest."""
    if n_classes <= len(COLORS):
        others = [color for color in COLORS if color != VERMILION]
        return VERMILION if rank == n_classes - 1 else others[rank]  # the smallest stands out
    import matplotlib

    return matplotlib.colormaps["viridis"](0.92 * (1 - rank / (n_classes - 1)))
