"""How well several methods find every class, by its number of training samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_crl._labels import Labels, read_labels
from sk_crl.displays._figure import (
    COLORS,
    MARKERS,
    Display,
    counted,
    every_so_many,
    extent,
    legend_above,
    tidy,
    written,
)
from sk_crl.displays._reading import (
    as_named,
    check_alike,
    chosen_targets,
    fitted_part,
    known_codes,
    named_estimators,
    target_titles,
    union_of_classes,
)
from sk_crl.metrics import class_sensitivities

_ROW = 0.19  # inches
_HIGHEST = 9.0


class SensitivityDisplay(Display):
    """Sensitivity of every class under several methods, the largest class on top.

    Make one by `from_predictions` or `from_estimator`.

    Parameters
    ----------
    classes : list of ndarray of shape (n_classes,)
        The labels of every target.
    class_sizes : list of ndarray of shape (n_classes,)
        Their numbers of training samples, by which they are ordered.
    sensitivities : dict of str to list of ndarray of shape (n_classes,)
        For every method and target the share of each class that is predicted right, NaN for classes
        without true samples.
    target_names : list of str, optional
        The targets' names.
    sizes_of : str, default="training samples"
        What the sizes count, for the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The axes, one for every target.
    figure_ : matplotlib Figure
        The figure.

    Raises
    ------
    ValueError
        For what are no labels, predictions of other targets or rows, and an unknown target.
    ImportError
        Where matplotlib is missing: install the extra ``displays``.

    See Also
    --------
    sk_crl.metrics.class_sensitivities : The numbers.

    Examples
    --------
    >>> from sk_crl.displays import SensitivityDisplay
    >>> y_train = ["major"] * 90 + ["minor"] * 10
    >>> y_true = ["major", "major", "minor", "minor"]
    >>> display = SensitivityDisplay.from_predictions(
    ...     y_true,
    ...     {"plain": ["major"] * 4, "CRL": ["major", "minor", "minor", "minor"]},
    ...     y_train=y_train,
    ... )
    >>> display.sensitivities
    {'plain': [array([1., 0.])], 'CRL': [array([0.5, 1. ])]}
    """

    def __init__(
        self,
        classes: Sequence[NDArray],
        class_sizes: Sequence[NDArray],
        sensitivities: Mapping[str, Sequence[NDArray[np.float64]]],
        *,
        target_names: Sequence[str | None] | None = None,
        sizes_of: str = "training samples",
    ):
        self.classes = list(classes)
        self.class_sizes = list(class_sizes)
        self.sensitivities = {name: list(values) for name, values in sensitivities.items()}
        self.target_names = list(target_names or [None] * len(self.classes))
        self.sizes_of = sizes_of

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        *,
        y_train: Any = None,
        target: Any = None,
        sample_weight: ArrayLike | None = None,
        missing_label: Any = None,
        ax: Any = None,
    ) -> SensitivityDisplay:
        """Draw what predictions reach.

        Parameters
        ----------
        y_true : array-like, sparse array or data frame of shape (n_samples,) or \
                (n_samples, n_targets)
            True labels; missing ones take no part.
        y_pred : dict of str to array-like, or array-like of the same shape
            Predictions of every method by its name, or those of a single one.
        y_train : array-like, sparse array or data frame, optional
            Training labels, by whose counts the classes are ordered; those of `y_true` by default,
            and the axis says so.
        target : str or int, optional
            Which of several targets to draw, by name or place; all by default.
        sample_weight : array-like of shape (n_samples,), optional
            Weight of every sample.
        missing_label : number or str, optional
            A further label that stands for none.
        ax : matplotlib Axes or array of them, optional
            Where to draw, see `plot`.

        Returns
        -------
        SensitivityDisplay
        """
        cls._check_ready()
        truth = read_labels(y_true, missing_label, "y_true")
        known = truth if y_train is None else read_labels(y_train, missing_label, "y_train")
        check_alike(truth, known)
        classes = [union_of_classes(*columns) for columns in zip(truth, known, strict=True)]
        sizes = [
            np.bincount(known_codes(column, listed), minlength=len(listed))
            for column, listed in zip(known, classes, strict=True)
        ]
        return cls._computed(
            (y_true, truth, as_named(y_pred, "Predictions", "y_pred")),
            classes,
            sizes,
            "test samples" if y_train is None else "training samples",
            {"sample_weight": sample_weight, "missing_label": missing_label},
            target,
        ).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: Any,
        *,
        y_train: Any = None,
        target: Any = None,
        sample_weight: ArrayLike | None = None,
        missing_label: Any = None,
        ax: Any = None,
    ) -> SensitivityDisplay:
        """Draw what fitted estimators reach.

        Parameters
        ----------
        estimator : classifier, or dict of str to classifier
            Fitted classifiers; several by name.
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples to predict.
        y : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
            Their true labels; missing ones take no part.
        y_train : array-like, sparse array or data frame, optional
            Training labels, by whose counts the classes are ordered. By default the counts that an
            estimator has kept (``class_counts_``) or, where none has, those of `y`.
        target : str or int, optional
            Which of several targets to draw, by name or place; all by default.
        sample_weight : array-like of shape (n_samples,), optional
            Weight of every sample.
        missing_label : number or str, optional
            A further label that stands for none.
        ax : matplotlib Axes or array of them, optional
            Where to draw, see `plot`.

        Returns
        -------
        SensitivityDisplay
        """
        cls._check_ready()
        estimators = named_estimators(estimator)
        truth = read_labels(y, missing_label, "y")
        predicted = {name: fitted.predict(X) for name, fitted in estimators.items()}
        parts = (fitted_part(fitted, "class_counts_") for fitted in estimators.values())
        counted = next((part for part in parts if part is not None), None)
        given = {"sample_weight": sample_weight, "missing_label": missing_label}
        if y_train is not None or counted is None:
            return cls.from_predictions(
                y, predicted, y_train=y_train, target=target, ax=ax, **given
            )
        classes, sizes = counted.classes_, counted.class_counts_
        if not isinstance(classes, list):
            classes, sizes = [classes], [sizes]
        return cls._computed(
            (y, truth, predicted), classes, sizes, "training samples", given, target
        ).plot(ax)

    @classmethod
    def _computed(
        cls,
        labels: tuple[Any, Labels, dict[str, Any]],
        classes: list[NDArray],
        sizes: list[NDArray],
        sizes_of: str,
        given: dict[str, Any],
        target: Any,
    ) -> SensitivityDisplay:
        """Compute the sensitivities of all methods, and keep those of the chosen target."""
        y_true, truth, predicted = labels
        chosen = chosen_targets(target, truth.names, len(truth.columns))
        titles = target_titles(truth)
        sensitivities = {}
        for name, said in predicted.items():
            listed = classes[0] if truth.template is None else classes
            values = class_sensitivities(y_true, said, labels=listed, **given)
            values = [values] if truth.template is None else values
            sensitivities[name] = [values[place] for place in chosen]
        return cls(
            [classes[place] for place in chosen],
            [sizes[place] for place in chosen],
            sensitivities,
            target_names=[titles[place] for place in chosen],
            sizes_of=sizes_of,
        )

    def plot(self, ax: Any = None) -> SensitivityDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, optional
            Where to draw, one Axes for every target; by default a new figure.

        Returns
        -------
        SensitivityDisplay
            This display, with the attributes `ax_` and `figure_`.
        """
        rows = max(map(len, self.classes))
        legend = 0.17 * (1 + np.ceil(len(self.sensitivities) / 2))
        height = min(0.55 + legend + _ROW * max(rows, 4), _HIGHEST)
        for target, axes in enumerate(self._open(ax, len(self.classes), height)):
            self._draw(axes, target)
        return self

    def _draw(self, ax: Any, target: int) -> None:
        """Draw a row for every class of one target, and a mark in it for every method."""
        sizes = np.asarray(self.class_sizes[target])
        order = np.argsort(-sizes, kind="stable")
        n_classes, n_methods = len(order), len(self.sensitivities)
        step = min(0.48 / max(n_methods - 1, 1), 6 * n_classes / extent(ax)[1])  # 6 points at most
        shifts = step * (np.arange(n_methods) - (n_methods - 1) / 2)
        for row in range(1, n_classes, 2):
            ax.axhspan(row - 0.5, row + 0.5, color="#F2F2F2", linewidth=0, zorder=0)
        for i, (name, values) in enumerate(self.sensitivities.items()):
            percent = 100 * values[target][order]
            ax.plot(
                percent,
                np.arange(n_classes) + shifts[i],
                linestyle="none",
                marker=MARKERS[i % len(MARKERS)],
                markersize=3.5,
                markeredgewidth=0,
                color=COLORS[i % len(COLORS)],
                label=f"{written(name)} ({np.nanmean(percent):.1f})",
                clip_on=False,
            )
        ax.set_xlim(0, 100)
        ax.set_ylim(n_classes - 0.5, -0.5)
        labels = self.classes[target][order].tolist()
        rows = range(0, n_classes, every_so_many(n_classes, extent(ax)[1]))
        names = [f"{written(labels[row])} ({counted(sizes[order[row]])})" for row in rows]
        ax.set_yticks(rows, names)
        ax.set_xlabel("Sensitivity (%)")
        ax.set_ylabel(f"Class ({self.sizes_of})")
        ax.grid(axis="x", color="#DDDDDD", linewidth=0.6)
        ax.set_axisbelow(True)
        name = self.target_names[target]
        title = "Mean" if name is None else f"{written(name)}, mean"
        n_columns = 2 if n_methods > 1 else 1
        legend_above(ax, True, title=f"{title} sensitivity (%) in brackets", ncols=n_columns)
        tidy(ax)
        ax.tick_params(axis="y", length=0)
