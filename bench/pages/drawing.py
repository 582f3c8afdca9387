"""What all figures share: SVG on paper of its own, legible in a page's column, the same bytes for the same record."""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.gate.stats import Interval
from bench.harness.writing import replace_bytes
from fixtures.programs.visible import visible

INK = "#1f2328"  # of text and axes on light paper
# Of lines and their names: contrast of 4.5 on white, as WCAG asks of small print, and of 3 on the dark paper.
COLOURS = ("#2c73d5", "#b15e1a", "#288551", "#c74767", "#8163c5", "#777724")
PANEL_INCHES = (3.2, 2.6)
STYLE: dict[Any, Any] = {  # matplotlib's names, which its stubs list as literals
    "svg.hashsalt": "moevlm",  # ids in the file would be random otherwise
    "svg.fonttype": "none",  # text stays text
    "savefig.bbox": "tight",  # grows by a legend beside the panels
    "axes.facecolor": "none",
    "font.size": 10,  # of a figure of 820 px, a column of GitHub's; a wider one is scaled down, to 9 px at least
    **dict.fromkeys(("text.color", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.labelcolor", "axes.edgecolor", "axes.titlecolor"), INK),
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


class Page(NamedTuple):
    """What a figure lies on."""

    ink: str  # of text and axes
    paper: str  # no grey has a contrast of 4.5 on both of GitHub's themes, so no page shows through


LIGHT, DARK = Page(INK, "#ffffff"), Page("#e6edf3", "#0d1117")  # GitHub's two themes


class Drawing(NamedTuple):
    """A figure to be drawn, and what it lies on."""

    draw: Callable[[], Figure]
    page: Page = LIGHT

    def save(self, path: Path) -> None:
        """Draw and write the figure, without the date and the version that drew it; its folder is made."""
        inked = {name: self.page.ink for name, value in STYLE.items() if value == INK}
        drawn = io.BytesIO()
        with mpl.rc_context({**STYLE, **inked, "figure.facecolor": self.page.paper}):
            self.draw().savefig(drawn, format=path.suffix[1:], metadata={"Creator": None, "Date": None})
        replace_bytes(path, drawn.getvalue())


def panels(number: int, *, columns: int = 2, width: float = 1.0, height: float = 1.0, same_y: bool = False) -> Figure:
    """Make a figure of so many panels, row by row.

    Args:
        number: of panels.
        columns: at most so many beside one another.
        width: of a panel, in usual ones.
        height: of a panel, in usual ones.
        same_y: whether the panels share their scale.
    """
    columns = min(columns, number)
    rows = math.ceil(number / columns)
    size = (PANEL_INCHES[0] * width * columns, PANEL_INCHES[1] * height * rows)
    figure = Figure(figsize=size, layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False, sharey=same_y).flat[number:]:
        axes.remove()
    return figure


def whisker(said: str = "95 % interval", **looks: Any) -> Line2D:
    """Return a legend's entry that says what whiskers are."""
    shown = {"color": mpl.rcParams["text.color"], "marker": "|", "markersize": 9, "linestyle": "none", **looks}
    return Line2D([], [], label=said, **shown)


def beside(figure: Figure, handles: Sequence[Any], **looks: Any) -> None:
    """Put a legend at the figure's right, which takes no room from the panels."""
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), **looks)


def named(name: str) -> str:
    r"""Return a name as a figure shows it: no formula between dollars, no character that breaks an SVG.

    >>> print(named("$a$\x1b"))
    \$a\$\x1b
    """
    return visible(name).replace("$", r"\$")


def whiskers(intervals: Sequence[Interval], factor: float = 1.0) -> list[list[float]]:
    """Return how far intervals reach below and above their estimates, as `errorbar` takes it.

    >>> whiskers([Interval(2.0, 1.5, 3.0)], factor=100)
    [[50.0], [100.0]]
    """
    below = [max(0.0, factor * (one.estimate - one.low)) for one in intervals]  # a median may lie outside by rounding
    return [below, [max(0.0, factor * (one.high - one.estimate)) for one in intervals]]
