"""What all figures share: SVG that reads on light and dark pages and is the same bytes for the same record."""

from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#808080"  # mid-grey: contrast of about 4 on white and on near-black
COLOURS = ("#3b7dd8", "#e07b28", "#2f9e60", "#c94f6d", "#8b6fc9", "#8a8a2a")  # of lines; each legible on both
PANEL_INCHES = (3.2, 2.6)
STYLE: dict[Any, Any] = {  # matplotlib's names, which its stubs list as literals
    "svg.hashsalt": "moevlm",  # ids in the file would be random otherwise
    "svg.fonttype": "none",  # text stays text
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


class Page(NamedTuple):
    """What a figure lies on."""

    ink: str  # of text and axes
    paper: str | None  # None: the page shows through


ANY_PAGE = Page(INK, None)
LIGHT, DARK = Page("#1f2328", "#ffffff"), Page("#e6edf3", "#0d1117")  # GitHub's two themes, for a README's picture


def style_on(page: Page) -> dict[Any, Any]:
    """Return STYLE in a page's ink."""
    return {name: page.ink if value == INK else value for name, value in STYLE.items()}


def panels(columns: int, rows: int = 1, *, width: float = 1.0, height: float = 1.0, same_y: bool = True) -> Figure:
    """Make a figure of a grid of panels, transparent all over; its axes are row by row.

    Args:
        columns: panels beside one another.
        rows: panels below one another.
        width: of a panel, in usual ones.
        height: of a panel, in usual ones.
        same_y: whether the panels share their scale.
    """
    size = (PANEL_INCHES[0] * width * columns, PANEL_INCHES[1] * height * rows)
    figure = Figure(figsize=size, layout="constrained")
    figure.patch.set_alpha(0.0)
    axes: Axes
    for axes in figure.subplots(rows, columns, squeeze=False, sharey=same_y).flat:
        axes.patch.set_alpha(0.0)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure, without the date and the version that drew it; the format is the suffix."""
    figure.savefig(path, metadata={"Creator": None, "Date": None} if path.suffix == ".svg" else None)
    return path
