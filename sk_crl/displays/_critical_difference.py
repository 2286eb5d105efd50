"""Mean ranks of methods, and which of them differ significantly (Demšar 2006)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_crl._checks import check_real
from sk_crl.displays._figure import COLUMN, Display, extent, points, text_width, written
from sk_crl.evaluation import critical_difference
from sk_crl.evaluation._ranks import runs_within

_ROW = 0.145  # inches, the height of a name
_AXIS = 1.3  # inches, the width that the axis of ranks has at least
_LEAD = 5  # points that the lines of names lead beyond the axis
_GAPS = _LEAD + 12  # points around a name and its rank


class CriticalDifferenceDisplay(Display):
    """Mean ranks of methods over data sets, and which of them do not differ significantly.

    The diagram of Demšar: *Statistical Comparisons of Classifiers over Multiple Data Sets*, 2006.
    Bars join methods that do not differ significantly; where a bar passes others by, dots on it say
    which it joins. Make one by `from_frame` or `from_ranks`.

    Parameters
    ----------
    names : sequence of str
        The methods, from the best to the worst.
    mean_ranks : ndarray of shape (n_methods,)
        Their mean ranks, ascending; 1 is the best there can be.
    groups : list of list of int
        Places of the methods that every bar joins.
    cd : float, optional
        The critical difference, for the ruler.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.

    Raises
    ------
    ValueError
        For fewer than two methods, ranks below 1 or that are not finite, unknown methods in groups,
        and where neither `cd` nor `groups` is given.
    ImportError
        Where matplotlib is missing: install the extra ``displays``.

    Examples
    --------
    >>> from sk_crl.displays import CriticalDifferenceDisplay
    >>> ranks = {"CRL": 1.6, "SMOTE": 2.4, "class weights": 2.1, "plain": 3.9}
    >>> display = CriticalDifferenceDisplay.from_ranks(ranks, cd=1.0)
    >>> display.names, display.groups
    (['CRL', 'class weights', 'SMOTE', 'plain'], [[0, 1, 2]])
    """

    def __init__(
        self,
        names: Sequence[str],
        mean_ranks: NDArray[np.float64],
        groups: Sequence[Sequence[int]],
        *,
        cd: float | None = None,
    ):
        self.names = list(names)
        self.mean_ranks = np.asarray(mean_ranks, dtype=np.float64)
        self.groups = [list(group) for group in groups]
        self.cd = cd

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        metric: str = "balanced_accuracy",
        *,
        alpha: float = 0.05,
        greater_is_better: bool = True,
        missing: str = "raise",
        ax: Any = None,
    ) -> CriticalDifferenceDisplay:
        """Rank the methods of a comparison, and draw the ranks with Nemenyi's test.

        Parameters
        ----------
        frame : pandas.DataFrame
            A row for every fit, as `sk_crl.evaluation.compare` makes it.
        metric : str, default="balanced_accuracy"
            The column to rank by; the splits of a data set are averaged first.
        alpha : float, default=0.05
            Level of Nemenyi's test, between 0 and 1.
        greater_is_better : bool, default=True
            Whether a high score is good.
        missing : {"raise", "drop", "worst"}, default="raise"
            What to do with a data set on which a method lacks a score, see
            `sk_crl.evaluation.critical_difference`.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        CriticalDifferenceDisplay
        """
        cls._check_ready()
        found = critical_difference(
            frame, metric, alpha=alpha, greater_is_better=greater_is_better, missing=missing
        )
        ranks = dict(zip(found.methods, found.mean_ranks, strict=True))
        return cls.from_ranks(ranks, found.critical_difference, ax=ax)

    @classmethod
    def from_ranks(
        cls,
        mean_ranks: Mapping[Hashable, float] | Any,
        cd: float | None = None,
        *,
        groups: Sequence[Sequence[Hashable]] | None = None,
        ax: Any = None,
    ) -> CriticalDifferenceDisplay:
        """Draw mean ranks.

        Parameters
        ----------
        mean_ranks : mapping or pandas Series of name to float
            The mean rank of every method, at least 1, which is the best.
        cd : float, optional
            The critical difference: methods whose mean ranks differ by less are joined, and a ruler
            shows it.
        groups : list of list of names, optional
            The methods that every bar joins, in place of those that differ by less than `cd`: from
            paired tests, for instance.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        CriticalDifferenceDisplay
        """
        cls._check_ready()
        named = _read_ranks(mean_ranks)
        if cd is not None:
            check_real("cd", cd, 0, np.finfo(float).max)
        elif groups is None:
            raise ValueError("cd or groups must be given, to say which methods differ; got None.")
        keys = sorted(named, key=named.__getitem__)
        ranks = np.array([named[key] for key in keys])
        if groups is None:
            places = runs_within(ranks, cd)
        else:
            places = [_places(group, keys) for group in groups]
        return cls([str(key) for key in keys], ranks, places, cd=cd).plot(ax)

    def plot(self, ax: Any = None) -> CriticalDifferenceDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure. Names stand to the left and right of it.

        Returns
        -------
        CriticalDifferenceDisplay
            This display, with the attributes `ax_` and `figure_`.
        """
        n_left = (len(self.names) + 1) // 2
        levels = _levels([(min(group), max(group)) for group in self.groups])
        first = -1.1 - 0.5 * (max(levels, default=-1) + 1)  # the row of the first name
        top = 2.4 if self.cd is None else 4.1
        size = points("x-small")
        left, right = (
            max(text_width(written(name), size) for name in names) + self._number_width() + _GAPS
            for names in (self.names[:n_left], self.names[n_left:])
        )
        width = float(np.clip((left + right) / 72 + _AXIS, COLUMN, 2 * COLUMN))
        (axes,) = self._open(ax, 1, _ROW * (top - first + n_left), width)
        axes.set_axis_off()
        axes.set_ylim(first - n_left + 0.5, top)
        low, high = np.floor(self.mean_ranks[0]), np.ceil(self.mean_ranks[-1])
        high = max(high, low + 1, low + (self.cd or 0))
        self.figure_.draw_without_rendering()  # the layout decides how wide the axes are
        room, _ = extent(axes)
        unit = (high - low) / max(room - left - right, 0.3 * room)  # ranks per point
        axes.set_xlim(low - left * unit, high + right * unit)
        _draw_axis(axes, low, high, unit)
        if self.cd is not None:
            _draw_ruler(axes, low, self.cd)
        for place in range(len(self.names)):
            is_left = place < n_left
            row = first - (place if is_left else len(self.names) - 1 - place)
            edge = low - _LEAD * unit if is_left else high + _LEAD * unit
            self._draw_name(axes, place, row, edge, is_left)
        for group, level in zip(self.groups, levels, strict=True):
            is_whole = len(group) == max(group) - min(group) + 1
            axes.plot(
                self.mean_ranks[group],
                [-0.65 - 0.5 * level] * len(group),
                color="black",
                linewidth=2.5,
                solid_capstyle="projecting",
                marker=None if is_whole else "o",
                markersize=5,
                zorder=3,
            )
        return self

    def _number_width(self) -> float:
        """Tell how wide the number of a rank is, in points."""
        return text_width(f"{self.mean_ranks[-1]:.2f}", points("x-small"))

    def _draw_name(self, ax: Any, place: int, row: float, edge: float, is_left: bool) -> None:
        """Lead from a method's rank down to its row, and out to the rank's number and the name."""
        rank = self.mean_ranks[place]
        ax.plot([rank, rank, edge], [0, row, row], color="black", linewidth=0.7, zorder=2)
        for text, offset, color in (
            (f"{rank:.2f}", 3, "#555555"),
            (written(self.names[place]), self._number_width() + 8, "black"),
        ):
            ax.annotate(
                text,
                (edge, row),
                (-offset if is_left else offset, 0),
                textcoords="offset points",
                ha="right" if is_left else "left",
                va="center_baseline",
                fontsize="x-small",
                color=color,
            )


def _draw_axis(ax: Any, low: float, high: float, unit: float) -> None:
    """Draw the axis of ranks, with its numbers above."""
    from matplotlib.ticker import MaxNLocator

    ax.plot([low, high], [0, 0], color="black", linewidth=1)
    n_ticks = max(1, int((high - low) / unit / (2.5 * points("x-small"))))
    ticks = MaxNLocator(nbins=min(n_ticks, 12), integer=True).tick_values(low, high)
    for tick in ticks[(ticks >= low) & (ticks <= high)]:
        ax.plot([tick, tick], [0, 0.3], color="black", linewidth=1)
        ax.text(tick, 0.4, f"{tick:.0f}", ha="center", va="bottom", fontsize="x-small")
    label = "Mean rank (lower is better)"
    ax.text((low + high) / 2, 1.45, label, ha="center", va="bottom", fontsize="x-small")


def _draw_ruler(ax: Any, low: float, cd: float) -> None:
    """Draw the critical difference above the axis."""
    ends = [low, low, low + cd, low + cd]
    ax.plot(ends, [2.75, 3.05, 3.05, 2.75], color="black", linewidth=1)
    ax.text(low, 3.15, f"CD = {cd:.2f}", ha="left", va="bottom", fontsize="x-small")


def _read_ranks(mean_ranks: Any) -> dict[Hashable, float]:
    """Read names and ranks; raise ValueError for what is no rank of a method by name."""
    if not hasattr(mean_ranks, "items"):
        raise ValueError(
            "mean_ranks must be a mapping or a pandas Series of name to mean rank; got a "
            f"{type(mean_ranks).__name__}."
        )
    pairs = list(mean_ranks.items())
    named = dict(pairs)
    if len(pairs) < 2 or len({str(name) for name in named}) < len(pairs):
        raise ValueError(
            "mean_ranks must hold two methods or more, all of different names; got "
            f"{[str(name) for name, _ in pairs]}."
        )
    for name, rank in pairs:
        check_real(f"The mean rank of {str(name)!r}", rank, 1, np.finfo(float).max)
    return {name: float(rank) for name, rank in pairs}


def _places(group: Sequence[Hashable], names: list[Hashable]) -> list[int]:
    """Find the places of the methods of a group."""
    strange = [name for name in group if name not in names]
    if strange or len(set(group)) < 2:
        raise ValueError(
            f"Every group must join two or more of the methods {[str(name) for name in names]}; "
            f"got {[str(name) for name in group]}."
        )
    return sorted(names.index(name) for name in set(group))


def _levels(spans: list[tuple[int, int]]) -> list[int]:
    """Choose a level for every bar, the first where it touches no other."""
    levels: list[int] = []
    for i, (start, end) in enumerate(spans):
        touching = {
            levels[j]
            for j, (other_start, other_end) in enumerate(spans[:i])
            if start <= other_end and other_start <= end
        }
        levels.append(next(level for level in range(len(spans)) if level not in touching))
    return levels
