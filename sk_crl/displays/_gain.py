"""What a method gains over another, by how imbalanced the classes are (Fig. 6 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_crl._names import unknown_name
from sk_crl.displays._figure import (
    BLUE,
    COLUMN,
    GREY,
    VERMILION,
    Display,
    extent,
    legend_above,
    log_scale,
    points,
    text_width,
    tidy,
    written,
)

_NEAR = 13  # points beyond which a line leads from a name to its point
_LEADER = {"arrowstyle": "-", "color": "#999999", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}


class GainByImbalanceDisplay(Display):
    """Gain of a method over another against the imbalance ratio (the paper's Fig. 6 and 8).

    Every point is a data set, or a target of one. Make one by `from_frame` or `from_arrays`.

    Parameters
    ----------
    imbalance_ratio : ndarray of shape (n_points,)
        Size of the largest class over that of the smallest, at least 1.
    gain : ndarray of shape (n_points,)
        What the method gains, in points (percent of balanced accuracy, say).
    names : list of str, optional
        Names of the points, to write beside them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.

    Raises
    ------
    ValueError
        For arrays of other shapes, ratios below 1, and numbers that are not finite.
    ImportError
        Where matplotlib is missing: install the extra ``displays``.

    Examples
    --------
    >>> from sk_crl.displays import GainByImbalanceDisplay
    >>> display = GainByImbalanceDisplay.from_arrays(
    ...     [8.6, 9.3, 21.9], [-0.4, 1.2, 3.5], names=["ecoli", "satimage", "oil"]
    ... )
    >>> display.ax_.get_ylabel()
    'Gain (points)'
    """

    def __init__(
        self,
        imbalance_ratio: ArrayLike,
        gain: ArrayLike,
        *,
        names: Sequence[Any] | None = None,
    ):
        self.imbalance_ratio = _finite("imbalance_ratio", imbalance_ratio)
        self.gain = _finite("gain", gain)
        self.names = None if names is None else [str(name) for name in names]
        lengths = {"imbalance_ratio": len(self.imbalance_ratio), "gain": len(self.gain)}
        if self.names is not None:
            lengths["names"] = len(self.names)
        if len(set(lengths.values())) > 1:
            got = ", ".join(f"{n} of {name}" for name, n in lengths.items())
            raise ValueError(f"There must be as many ratios as gains and names; got {got}.")
        if (self.imbalance_ratio < 1).any():
            raise ValueError(
                "imbalance_ratio must be the size of the largest class over that of the smallest, "
                f"1 or more; got {self.imbalance_ratio.min()}."
            )

    @classmethod
    def from_frame(
        cls, frame: Any, *, name: str | None = None, label: str | None = None, ax: Any = None
    ) -> GainByImbalanceDisplay:
        """Draw the rows of a data frame.

        Parameters
        ----------
        frame : pandas or polars DataFrame
            With the columns ``imbalance_ratio`` and ``gain``, a difference of scores in [-1, 1], as
            `sk_crl.evaluation.gain_by_imbalance` makes it. It is drawn in points, 0.01 as one.
        name : str, optional
            A further column, whose entries to write beside the points.
        label : str, optional
            What the gain is of, for the axis: ``"Gain of CRL over LMLE (points)"``.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        GainByImbalanceDisplay
        """
        cls._check_ready()
        if not {"imbalance_ratio", "gain"} <= set(frame.columns):
            raise ValueError(
                "The frame must have the columns 'imbalance_ratio' and 'gain', as "
                "sk_crl.evaluation.gain_by_imbalance(frame, method, over) makes them of the frame "
                f"of a comparison; got {[*frame.columns]}."
            )
        if name is not None and name not in frame.columns:
            raise ValueError(unknown_name("column", name, map(str, frame.columns)))
        names = None if name is None else list(frame[name])
        points_gained = 100 * _finite("gain", frame["gain"])
        display = cls(frame["imbalance_ratio"], points_gained, names=names)
        return display.plot(ax, label=label)

    @classmethod
    def from_arrays(
        cls,
        imbalance_ratio: ArrayLike,
        gain: ArrayLike,
        *,
        names: Sequence[Any] | None = None,
        label: str | None = None,
        ax: Any = None,
    ) -> GainByImbalanceDisplay:
        """Draw arrays.

        Parameters
        ----------
        imbalance_ratio : array-like of shape (n_points,)
            Size of the largest class over that of the smallest, at least 1.
        gain : array-like of shape (n_points,)
            What the method gains, in points.
        names : sequence of length n_points, optional
            Names to write beside the points.
        label : str, optional
            What the gain is of, for the axis: ``"Gain of CRL over LMLE (points)"``.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        GainByImbalanceDisplay
        """
        cls._check_ready()
        return cls(imbalance_ratio, gain, names=names).plot(ax, label=label)

    def plot(self, ax: Any = None, *, label: str | None = None) -> GainByImbalanceDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        label : str, optional
            What the gain is of, for the axis; "Gain (points)" by default.

        Returns
        -------
        GainByImbalanceDisplay
            This display, with the attributes `ax_` and `figure_`.
        """
        (axes,) = self._open(ax, 1, (0.95 if self.names else 0.75) * COLUMN)
        axes.axhline(0, color="black", linewidth=0.8, zorder=1)
        signs = np.sign(self.gain)
        for sign, color, marker, kind in (
            (1, BLUE, "o", "Better"),
            (0, GREY, "s", "Equal"),
            (-1, VERMILION, "v", "Worse"),
        ):
            here = signs == sign
            if here.any():
                axes.scatter(
                    self.imbalance_ratio[here],
                    self.gain[here],
                    s=16,
                    color=color,
                    marker=marker,
                    linewidths=0,
                    label=f"{kind} ({here.sum()})",
                    zorder=3,
                )
        low, high = self.imbalance_ratio.min(), self.imbalance_ratio.max()
        log_scale(axes, "x", low / 1.25, high * 1.25)
        axes.set_xlabel("Imbalance ratio (largest to smallest class)")
        axes.set_ylabel(label or "Gain (points)")
        axes.margins(y=0.12)
        legend_above(axes, ncols=3)
        tidy(axes)
        if self.names:
            self._write_names(axes)
        return self

    def _write_names(self, ax: Any) -> None:
        """Write names beside points, where they hide no other as far as there is room."""
        self.figure_.draw_without_rendering()  # the layout decides where points are
        dots = ax.transData.transform(np.column_stack([self.imbalance_ratio, self.gain]))
        dots = dots * 72 / self.figure_.dpi
        size = 0.8 * points("x-small")
        left, bottom = np.array([ax.bbox.x0, ax.bbox.y0]) * 72 / self.figure_.dpi
        width, height = extent(ax)
        frame = np.array([left, bottom, left + width, bottom + height])
        zero = ax.transData.transform((self.imbalance_ratio[0], 0))[1] * 72 / self.figure_.dpi
        taken = [np.array([x - 3, y - 3, x + 3, y + 3]) for x, y in dots]
        taken.append(np.array([left, zero - 0.2, left + width, zero + 0.2]))
        for i in np.argsort(self.imbalance_ratio, kind="stable"):
            name = written(self.names[i])
            box, offset, alignment = _best_place(dots[i], name, size, taken, frame)
            taken.append(box)
            text = ax.annotate(
                name,
                (self.imbalance_ratio[i], self.gain[i]),
                offset,
                textcoords="offset points",
                fontsize=size,
                ha=alignment,
                va="center",
                color="#333333",
                arrowprops=_LEADER if np.hypot(*offset) > _NEAR else None,
            )
            text.set_in_layout(False)  # or the points would move


def _best_place(
    dot: NDArray, name: str, size: float, taken: list[NDArray], frame: NDArray
) -> tuple[NDArray, tuple[float, float], str]:
    """Find the place beside a point that hides least: its box, offset and alignment."""
    width, height = text_width(name, size), 1.25 * size
    others = np.array(taken)
    best = None
    for reach in (0, 3, 6, 10, 15, 22, 30, 40):
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            dx = x * (4 + (reach if y == 0 else reach // 2))
            dy = y * ((2 if x else 4) + height / 2 + reach)
            start = dot[0] + dx - width * (1 - x) / 2
            bottom = dot[1] + dy - height / 2
            box = np.array([start - 1, bottom, start + width + 1, bottom + height])
            outside = np.prod(box[2:] - box[:2]) - _overlaps(box, frame[None])[0]
            crossed = _crossed(dot, dot + np.array([dx, dy]), others) if reach else 0
            cost = _overlaps(box, others).sum() + 3 * outside + 10 * crossed + 0.8 * reach
            if best is None or cost < best[0] - 1e-9:
                alignment = {1: "left", 0: "center", -1: "right"}[x]
                best = cost, box, (dx, dy), alignment
        if best[0] <= 0.8 * reach + 1e-9:  # nothing is hidden, and farther away is no better
            break
    return best[1:]


def _crossed(start: NDArray, end: NDArray, boxes: NDArray) -> int:
    """Count how often a line, looked at in nine places, passes through boxes."""
    places = start + np.linspace(0.2, 1, 9)[:, None, None] * (end - start)
    return int(((places > boxes[:, :2]) & (places < boxes[:, 2:])).all(2).sum())


def _overlaps(box: NDArray, others: NDArray) -> NDArray[np.float64]:
    """Compute the areas that a box (left, bottom, right, top) shares with others."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    return sides.clip(0).prod(1)


def _finite(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Read a row of finite numbers."""
    array = np.asarray(values)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must be a sequence of numbers; got shape {array.shape} of {array.dtype}."
        )
    if not np.isfinite(array).all():
        row = int((~np.isfinite(array)).argmax())
        raise ValueError(f"{name} must be finite; got {array[row]} at place {row}.")
    return array.astype(np.float64)
