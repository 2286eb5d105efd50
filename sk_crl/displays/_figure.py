"""What all displays share: matplotlib on request, axes to draw on, colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sk_crl._extras import import_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN = 3.5  # inches, the width of a journal's column
# Safe for the colour-blind (Okabe and Ito), those that stand out from white first.
COLORS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#999999",
)
BLUE, VERMILION = COLORS[:2]
GREY = "#8C8C8C"
MARKERS = "osD^vPX<"


class Display:
    """Base of the displays: where they draw."""

    @classmethod
    def _check_ready(cls) -> None:
        """Raise ImportError where there is nothing to draw with, before anything is computed."""
        import_extra("matplotlib.pyplot", "displays", cls.__name__)

    def _open(
        self,
        ax: Any,
        n_panels: int,
        height: float,
        width: float = COLUMN,
        n_columns: int = 2,
    ) -> list[Axes]:
        """Take the axes given, or make some of this size in inches; set `ax_` and `figure_`.

        Raises
        ------
        ValueError
            For another number of axes than there is to draw.
        """
        plt = import_extra("matplotlib.pyplot", "displays", type(self).__name__)
        if ax is None:
            n_columns = min(n_panels, n_columns)
            n_rows = math.ceil(n_panels / n_columns)
            _, grid = plt.subplots(
                n_rows,
                n_columns,
                figsize=(width * n_columns, height * n_rows),
                layout="constrained",
                squeeze=False,
            )
            axes = list(grid.flat)
            for unused in axes[n_panels:]:
                unused.remove()
            axes = axes[:n_panels]
        else:
            axes = as_axes(ax)
            if len(axes) != n_panels:
                raise ValueError(
                    f"ax must be {n_panels} matplotlib Axes, one for everything there is to draw; "
                    f"got {len(axes)}."
                )
        self.ax_ = axes[0] if n_panels == 1 else np.array(axes, dtype=object)
        self.figure_ = axes[0].figure
        return axes


def as_axes(ax: Any) -> list[Axes]:
    """List axes, of which one or several may be given."""
    from matplotlib.axes import Axes

    axes = list(np.ravel(np.array(ax, dtype=object)))
    strange = [one for one in axes if not isinstance(one, Axes)]
    if strange:
        raise TypeError(
            f"ax must be matplotlib Axes; got {type(strange[0]).__name__}. Make some by "
            "matplotlib.pyplot.subplots()."
        )
    return axes


def tidy(ax: Axes) -> None:
    """Leave out what says nothing, and make tick labels small enough for a column."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize="x-small")
    ax.xaxis.label.set_size("small")
    ax.yaxis.label.set_size("small")


def legend_above(ax: Axes, center: bool = False, **settings: Any) -> None:
    """Put the legend above the axes, where it hides nothing."""
    ax.legend(
        loc="lower center" if center else "lower left",
        bbox_to_anchor=(0.5 if center else 0, 1),
        fontsize="x-small",
        title_fontsize="x-small",
        frameon=False,
        handletextpad=0.1,
        columnspacing=1,
        borderaxespad=0.2,
        **settings,
    )


def points(size: str) -> float:
    """Tell a font size by name in points."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(size=size).get_size_in_points()


def extent(ax: Axes) -> tuple[float, float]:
    """Tell how wide and how high axes are, in points."""
    box = ax.get_window_extent()
    scale = 72 / ax.figure.dpi
    return box.width * scale, box.height * scale


def written(label: Any) -> str:
    """Write a label or a name so that matplotlib shows it as it is."""
    if isinstance(label, float) and label.is_integer():
        label = int(label)  # an array with holes makes floats of whole numbers
    text = str(label).replace("$", r"\$")  # no formula
    return f" {text}" if text.startswith("_") else text  # which legends would leave out


def counted(number: float) -> str:
    """Write a number of samples, or their weight."""
    return f"{number:,.0f}" if number % 1 == 0 else f"{number:,.1f}"


def text_width(text: str, size: float) -> float:
    """Tell how wide a text is, in points."""
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0

    return float(TextPath((0, 0), text, size=size).get_extents().width)


def name_places(ax: Axes, names: list[str]) -> bool:
    """Name the places 1, 2, ... of the x axis, at the angle there is room for; tell if there is."""
    size, (width, _) = points("x-small"), extent(ax)
    longest = max(text_width(name, size) for name in names)
    places = range(1, len(names) + 1)
    if len(names) * (longest + 0.7 * size) <= width:
        ax.set_xticks(places, names)
    elif len(names) * 2 * size <= width:
        ax.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    elif len(names) * 1.25 * size <= width:
        ax.set_xticks(places, names, rotation=90)
    else:
        return False
    ax.tick_params(axis="x", length=0)
    return True


def log_scale(ax: Axes, which: str, low: float, high: float) -> None:
    """Make an axis logarithmic between limits, with plain numbers where they fit."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    axis = ax.xaxis if which == "x" else ax.yaxis
    width, height = extent(ax)
    size = points("x-small")
    decade = (width if which == "x" else height) / np.log10(high / low)
    # Half as much again, for layouts make axes smaller than they are now.
    label = 1.5 * (text_width(f"{high:,.0f}", size) if which == "x" else size)
    spaced = {(1, 2, 5): np.log10(2), (1, 3): np.log10(3), (1,): 1}
    fitting = [multiples for multiples, gap in spaced.items() if gap * decade >= label]
    axis.set_major_locator(LogLocator(subs=fitting[0] if fitting else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def every_so_many(n: int, room: float) -> int:
    """Tell how many rows must share a label so that labels fit into the room, in points."""
    return max(1, math.ceil(n * 1.15 * points("x-small") / room))
