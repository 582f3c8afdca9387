"""How points of the front look, and the legends that say so: colour: series; shape: kind; breadth: size; fill: front.

Names are a user's where the tier is: in the legend they are wrapped, at a point the middle of a long one is left out.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from bench.pages.pareto.front import Placed, Standing
from bench.pages.pareto.points import KINDS, PUBLISHED, SUPPLIED, TRAINED, Point
from bench.pages.plots.style import COLOURS, INK

SERIES_COLOURS = (*COLOURS, "#2a98a8", "#8a6d5a", "#b5539c", "#5f7394")  # variants of a twin, and weights of its loss
MARKERS = {"dense": "o", "moe": "s", "smoes": "D", "ablation": "^"}
BREADTH, BREADTH_STEP = 5.0, 2.0  # of a marker, typographic points; and how much broader the next size of twins is
SERIES_TITLES = {TRAINED: "variant", PUBLISHED: "family", SUPPLIED: "model"}
FRONTS = {TRAINED: "front, by estimates; twins of one\nshape at their mean throughput"}  # tier -> what the line is
FRONT = "front, by estimates"
FONT_SIZE = 7.0
WRAP_AT = 34  # characters of a legend's line: a third of a figure of one panel
LONGEST = 26  # characters of a point's label
MOST_COLUMNS = 4
PLACES: Mapping[str, Literal["outside lower left", "outside lower center", "outside lower right"]] = {
    "left": "outside lower left", "center": "outside lower center", "right": "outside lower right"
}  # fmt: skip
SERIES_ROOM = {1: 0.5, 2: 0.44}  # columns of panels -> share of the figure's width for the legend of its series


class Marks(NamedTuple):
    """Colours of series, and breadths of sizes where markers tell them: many twins share a size, few others do."""

    colours: Mapping[str, str]
    breadths: Mapping[str, float]


def marks_of(points: Sequence[Point]) -> Marks:
    """Choose how the points of a tier look."""
    series = dict.fromkeys(point.series for point in points)
    twins = sorted((point for point in points if point.tier == TRAINED), key=lambda point: point.num_parameters)
    largest = {twin.size: twin.num_parameters for twin in twins}  # `dense_active` of a size is smaller than its name
    sizes = sorted(largest, key=largest.__getitem__)
    return Marks(
        colours={name: SERIES_COLOURS[index % len(SERIES_COLOURS)] for index, name in enumerate(series)},
        breadths={size: BREADTH + BREADTH_STEP * index for index, size in enumerate(sizes)} if len(sizes) > 1 else {},
    )


def looks(marks: Marks, placed: Placed) -> dict[str, Any]:
    """Return what matplotlib's `plot` is told of a point's marker."""
    point = placed.point
    return {
        "marker": MARKERS[point.kind],
        "color": marks.colours[point.series],
        "markersize": marks.breadths.get(point.size, BREADTH),
        "linestyle": "none",
        "fillstyle": "full" if placed.standing is Standing.FRONT else "none",
    }


def label_of(placed: Placed) -> str:
    """Return what is written at a point: nothing at a twin behind the front, whose marker tells all."""
    point = placed.point
    if point.tier != TRAINED:
        return shortened(point.size or point.series)
    return point.name if placed.standing is Standing.FRONT else ""


def shortened(name: str) -> str:
    """Leave out the middle of a long name.

    >>> shortened("llava-hf/llava-v1.6-mistral-7b-hf"), shortened("mine")
    ('llava-hf/llav…istral-7b-hf', 'mine')
    """
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[1 - half :]}"


def draw_legends(figure: Figure, points: Sequence[Point], marks: Marks, columns: int) -> None:
    """Name colours, shapes, sizes and lines below the panels, each under a title of its own; the figure grows by them.

    Args:
        figure: That the layout is not yet made of.
        points: Of one tier.
        marks: How they look.
        columns: Of panels.
    """
    tier = points[0].tier
    kinds = {name: {point.kind for point in points if point.series == name} for name in marks.colours}
    series = [
        _mark("\n".join(textwrap.wrap(name, WRAP_AT)), color=colour, marker=MARKERS[min(kinds[name])])
        for name, colour in marks.colours.items()
    ]
    shapes = [
        _mark(said, marker=MARKERS[kind]) for kind, said in KINDS.items() if any(kind in k for k in kinds.values())
    ]
    front = [
        *(_mark(size, markersize=breadth) for size, breadth in marks.breadths.items()),
        _mark("not on the front", fillstyle="none"),
        Line2D([], [], color=INK, linestyle="--", linewidth=0.8, label=FRONTS.get(tier, FRONT)),
    ]
    _draw_series(figure, series, SERIES_TITLES[tier], SERIES_ROOM[columns])
    _draw(figure, shapes, "kind", "center", 1)
    _draw(figure, front, "size and front" if marks.breadths else "front", "right", 1)
    tallest = max(box.height for box in _boxes(figure))
    figure.set_figheight(figure.get_figheight() + tallest / figure.dpi)  # the panels keep their size


def _mark(label: str, **looks: Any) -> Line2D:
    return Line2D(
        [], [], **{"color": INK, "marker": "o", "linestyle": "none", "markersize": BREADTH, **looks}, label=label
    )


def _draw_series(figure: Figure, handles: Sequence[Line2D], title: str, room: float) -> None:
    """Draw the legend in as many columns as there is room for."""
    for columns in range(min(MOST_COLUMNS, len(handles)), 0, -1):
        legend = _draw(figure, handles, title, "left", columns)
        if columns == 1 or _boxes(figure)[-1].width <= room * figure.bbox.width:
            return
        legend.remove()


def _draw(figure: Figure, handles: Sequence[Line2D], title: str, side: str, columns: int) -> Legend:
    return figure.legend(
        handles=handles, loc=PLACES[side], ncols=columns, fontsize=FONT_SIZE, title=title,
        title_fontsize=FONT_SIZE, alignment="left",
    )  # fmt: skip


def align_legends(figure: Figure) -> None:
    """Put the legends' titles on one line: the layout, which must stand by now, has aligned their lower ends."""
    boxes = [box.transformed(figure.transFigure.inverted()) for box in _boxes(figure)]
    top = max(box.y1 for box in boxes)
    for legend, box in zip(figure.legends, boxes, strict=True):
        legend.borderaxespad = 0.0
        legend.set_loc("upper left")
        legend.set_bbox_to_anchor((box.x0, top), transform=figure.transFigure)


def _boxes(figure: Figure) -> list[Bbox]:
    """Return where the legends are, in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    return [legend.get_window_extent(renderer) for legend in figure.legends]
