"""How many samples every class has (Fig. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_crl._checks import check_choice
from sk_crl._distribution import ClassDistribution
from sk_crl._labels import read_labels
from sk_crl.displays._figure import (
    BLUE,
    COLUMN,
    GREY,
    VERMILION,
    Display,
    as_axes,
    legend_above,
    log_scale,
    name_places,
    tidy,
    written,
)
from sk_crl.displays._reading import chosen_targets, require_part, target_titles

_MOST_PANELS = 6
_ROW = 0.125  # inches


class ClassDistributionDisplay(Display):
    r"""Class sizes, the largest first, on a logarithmic scale (the paper's Fig. 1).

    Minority classes, as Eq. 3 takes them of the whole training set, are marked, and the imbalance
    :math:`\Omega` (Eq. 8) is written. Make one by `from_labels` or `from_estimator`.

    Parameters
    ----------
    classes : list of ndarray of shape (n_classes,)
        The labels of every target.
    class_counts : list of ndarray of shape (n_classes,)
        Number of samples of every class, or their total weight.
    is_minority : list of ndarray of bool, shape (n_classes,)
        Which classes are minorities.
    target_names : list of str, optional
        The targets' names.

    Attributes
    ----------
    omega : ndarray of shape (n_targets,)
        Imbalance of every target (Eq. 8), in [0, 1).
    ax_ : matplotlib Axes or ndarray of Axes
        The axes; several where there is one for every target.
    figure_ : matplotlib Figure
        The figure.

    Raises
    ------
    ValueError
        For labels that are no classes, and an unknown target.
    ImportError
        Where matplotlib is missing: install the extra ``displays``.

    See Also
    --------
    SensitivityDisplay : How well the classes are found.

    Examples
    --------
    >>> from sk_crl.displays import ClassDistributionDisplay
    >>> y = ["cat"] * 60 + ["dog"] * 25 + ["owl"] * 5
    >>> display = ClassDistributionDisplay.from_labels(y)
    >>> display.class_counts, display.is_minority, display.omega.round(2)
    ([array([60, 25,  5])], [array([False,  True,  True])], array([0.5]))
    """

    def __init__(
        self,
        classes: Sequence[NDArray],
        class_counts: Sequence[NDArray],
        is_minority: Sequence[NDArray[np.bool_]],
        *,
        target_names: Sequence[str | None] | None = None,
    ):
        self.classes = list(classes)
        self.class_counts = [np.asarray(counts) for counts in class_counts]
        self.is_minority = [np.asarray(minority, dtype=bool) for minority in is_minority]
        self.target_names = list(target_names or [None] * len(self.classes))
        self.omega = np.array([ClassDistribution.from_counts(c).omega for c in self.class_counts])

    @classmethod
    def from_labels(
        cls,
        y: ArrayLike,
        *,
        rho: float = 0.5,
        target: Any = None,
        missing_label: Any = None,
        ax: Any = None,
        kind: str = "auto",
    ) -> ClassDistributionDisplay:
        """Count and draw the classes of labels.

        Parameters
        ----------
        y : array-like, sparse array or data frame of shape (n_samples,) or (n_samples, n_targets)
            Training labels. NaN, None and NA are missing labels, which are not counted.
        rho : float, default=0.5
            Share of the samples that the minority classes hold together at most (Eq. 3).
        target : str or int, optional
            Which of several targets to draw, by name or place; all by default.
        missing_label : number or str, optional
            A further label that stands for none.
        ax : matplotlib Axes or array of them, optional
            Where to draw, see `plot`.
        kind : {"auto", "bars", "rows"}, default="auto"
            How to draw several targets, see `plot`.

        Returns
        -------
        ClassDistributionDisplay
        """
        from sk_crl._minorities import training_minorities

        cls._check_ready()
        labels = read_labels(y, missing_label)
        chosen = chosen_targets(target, labels.names, len(labels.columns))
        titles = target_titles(labels)
        classes, counts = [], []
        for place in chosen:
            column = labels.columns[place]
            known = column.classes()
            if len(known) < 2:
                got = f"one class only: {known.tolist()[0]!r}" if len(known) else "no label at all"
                raise ValueError(f"{column.title} must have two classes or more; got {got}.")
            codes = column.codes(known)
            classes.append(known)
            counts.append(np.bincount(codes[codes >= 0]))
        minority = [training_minorities(ClassDistribution.from_counts(c), rho) for c in counts]
        display = cls(classes, counts, minority, target_names=[titles[place] for place in chosen])
        return display.plot(ax, kind=kind)

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, target: Any = None, ax: Any = None, kind: str = "auto"
    ) -> ClassDistributionDisplay:
        """Draw the classes that a fitted estimator was trained on.

        Parameters
        ----------
        estimator : CRLClassifier, MultiOutputCRLClassifier, or a pipeline or search around one
            Fitted estimator.
        target : str or int, optional
            Which of several targets to draw, by name or place; all by default.
        ax : matplotlib Axes or array of them, optional
            Where to draw, see `plot`.
        kind : {"auto", "bars", "rows"}, default="auto"
            How to draw several targets, see `plot`.

        Returns
        -------
        ClassDistributionDisplay
        """
        cls._check_ready()
        fitted = require_part(estimator, "class_counts_", "Fit it, or use from_labels.")
        parts = fitted.classes_, fitted.class_counts_, fitted.minority_classes_
        if not isinstance(fitted.classes_, list):
            classes, counts, minorities = ([part] for part in parts)
            names, titles = None, [None]
        else:
            classes, counts, minorities = parts
            names = getattr(fitted, "target_names_in_", None)
            names = None if names is None else tuple(names)
            titles = [f"Target {i}" for i in range(len(classes))] if names is None else names
        chosen = chosen_targets(target, names, len(classes))
        display = cls(
            [classes[place] for place in chosen],
            [counts[place] for place in chosen],
            [np.isin(classes[place], minorities[place]) for place in chosen],
            target_names=[None if titles[i] is None else str(titles[i]) for i in chosen],
        )
        return display.plot(ax, kind=kind)

    def plot(self, ax: Any = None, *, kind: str = "auto") -> ClassDistributionDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, optional
            Where to draw; by default a new figure, a column wide for every target side by side.
        kind : {"auto", "bars", "rows"}, default="auto"
            Bars for every class on axes for every target, or all targets in one, a row for each,
            the most imbalanced on top. By default rows where a single Axes is given for several
            targets, or where there are more than 6 of them.

        Returns
        -------
        ClassDistributionDisplay
            This display, with the attributes `ax_` and `figure_`.
        """
        check_choice("kind", kind, ("auto", "bars", "rows"))
        n_targets = len(self.classes)
        if kind == "auto":
            given = n_targets if ax is None else len(as_axes(ax))
            rows = n_targets > 1 and (given == 1 or (ax is None and n_targets > _MOST_PANELS))
            kind = "rows" if rows else "bars"
        if kind == "rows":
            (axes,) = self._open(ax, 1, 0.7 + _ROW * max(n_targets, 4))
            self._draw_rows(axes)
        else:
            for target, axes in enumerate(self._open(ax, n_targets, 0.66 * COLUMN)):
                self._draw_bars(axes, target)
        return self

    def _counted(self) -> str:
        """Say what the counts are."""
        whole = all((counts % 1 == 0).all() for counts in self.class_counts)
        return "Training samples" if whole else "Weight of training samples"

    def _draw_bars(self, ax: Any, target: int) -> None:
        """Draw a bar for every class of one target."""
        order = np.argsort(-self.class_counts[target], kind="stable")
        counts = self.class_counts[target][order]
        minority = self.is_minority[target][order]
        for is_minority, color, label in (
            (False, GREY, None),
            (True, VERMILION, "Minority classes"),
        ):
            places = np.flatnonzero(minority == is_minority)
            if len(places):
                ax.bar(places + 1, counts[places], 0.8, color=color, label=label)
        lowest = counts[counts > 0].min() / 2
        # Room for the key, which stands to the right, where bars are low unless all are alike.
        right = counts[len(counts) // 3 :].max()
        key = right * (counts.max() / lowest) ** 0.3 if minority.any() else 0
        log_scale(ax, "y", lowest, max(counts.max() * 1.2, key))
        ax.set_xlim(0.3, len(counts) + 0.7)
        ax.set_ylabel(self._counted())
        named = name_places(ax, [written(label) for label in self.classes[target][order].tolist()])
        ax.set_xlabel("" if named else "Class, by size")
        if minority.any():
            ax.legend(loc="upper right", fontsize="x-small", frameon=False, handlelength=1)
        name = self.target_names[target]
        title = f"Ω = {self.omega[target]:.2f}"
        ax.set_title(
            title if name is None else f"{written(name)}, {title}", fontsize="small", loc="left"
        )
        tidy(ax)

    def _draw_rows(self, ax: Any) -> None:
        """Draw all targets on one axes, the classes of each as dots in a row."""
        order = np.argsort(self.omega, kind="stable")
        counted = np.concatenate(self.class_counts)
        log_scale(ax, "x", counted[counted > 0].min() / 1.4, counted.max() * 1.4)
        for row, target in enumerate(order):
            counts, minority = self.class_counts[target], self.is_minority[target]
            seen = counts[counts > 0]
            ax.plot([seen.min(), seen.max()], [row, row], color="#CCCCCC", linewidth=0.8, zorder=1)
            for is_minority, color in (False, BLUE), (True, VERMILION):
                shown = counts[(minority == is_minority) & (counts > 0)]
                ax.scatter(shown, [row] * len(shown), s=9, color=color, linewidths=0, zorder=2)
        handles = [
            ax.scatter([], [], s=9, color=VERMILION, linewidths=0, label="Minority class"),
            ax.scatter([], [], s=9, color=BLUE, linewidths=0, label="Other class"),
        ]
        names = [written(self.target_names[target] or f"Target {target}") for target in order]
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(-0.7, len(names) - 0.3)
        ax.set_xlabel(f"{self._counted()} of the class")
        legend_above(ax, handles=handles, ncols=2)
        tidy(ax)
        ax.tick_params(axis="y", length=0)
        omegas = ax.secondary_yaxis("right")
        omegas.set_yticks(range(len(names)), [f"{self.omega[target]:.2f}" for target in order])
        omegas.tick_params(length=0, labelsize="x-small")
        omegas.spines["right"].set_visible(False)
        ax.annotate(
            "Ω",
            (1, 1),
            (4, 4),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize="x-small",
        )
