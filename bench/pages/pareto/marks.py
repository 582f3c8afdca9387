"""How points of the front look, and the legend that says so: colour: series; shape: kind; breadth: size; fill: front.

Names are a user's where the tier is: at a point the middle of a long one is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.lines import Line2D

from bench.pages.drawing import COLOURS, INK, named, whisker
from bench.pages.pareto.front import Placed, Standing
from bench.pages.pareto.points import KINDS, PUBLISHED, SUPPLIED, TRAINED, Point

SERIES_COLOURS = (*COLOURS, "#23808e", "#8a6d5a", "#b4509a", "#5f7394")  # variants of a twin, and weights of its loss
MARKERS = {"dense": "o", "moe": "s", "smoes": "D", "ablation": "^"}
BREADTH, BREADTH_STEP = 5.0, 2.0  # of a marker, typographic points; and how much broader the next size of twins is
SERIES_TITLES = {TRAINED: "variant", PUBLISHED: "family", SUPPLIED: "model"}
LONGEST = 26  # characters of a point's label
WHISKER_ALPHA = 0.55  # many cross
ONE_SEED: dict[str, Any] = {
    "marker": "x",
    "color": INK,
    "markersize": 7.0,
    "markeredgewidth": 1.0,
    "linestyle": "none",
}  # over a marker
UNFINISHED: dict[str, Any] = {
    **ONE_SEED,
    "marker": "+",
    "markersize": 9.0,
}  # likewise, of seeds of which some never looked
WHISKERS = {
    TRAINED: "95 % interval",
    PUBLISHED: "accuracy ±4 points, throughput\nfrom 44 % of a floor to it",
    SUPPLIED: "95 % interval",
}


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


def legend(points: Sequence[Point], marks: Marks) -> list[Line2D]:
    """Name colours, shapes, sizes and lines, each under a title.

    Args:
        points: Of one tier.
        marks: How they look.
    """
    shapes = {point.series: MARKERS[point.kind] for point in reversed(points)}  # of several kinds the first point's
    kinds = {point.kind for point in points}
    parts = {
        SERIES_TITLES[points[0].tier]: [_mark(named(n), color=c, marker=shapes[n]) for n, c in marks.colours.items()],
        "kind": [_mark(said, marker=MARKERS[kind]) for kind, said in KINDS.items() if kind in kinds],
        "size": [_mark(named(size), markersize=breadth) for size, breadth in marks.breadths.items()],
        "standing": [
            _mark("on the front"),
            _mark("not on the front", fillstyle="none"),
            _mark("front, by estimates", marker="", linestyle="--", linewidth=0.8),
            *([_mark("one seed: not ranked", **ONE_SEED)] if any(point.has_one_seed for point in points) else []),
            *([_mark("some seeds unfinished", **UNFINISHED)] if any(point.num_unfinished for point in points) else []),
            whisker(WHISKERS[points[0].tier], alpha=WHISKER_ALPHA),
        ],
    }
    titled = [[_mark(rf"$\bf{{{title}}}$", marker=""), *handles] for title, handles in parts.items() if handles]
    return [handle for part in titled for handle in part]


def _mark(label: str, **looks: Any) -> Line2D:
    shown = {"color": INK, "marker": "o", "linestyle": "none", "markersize": BREADTH, **looks}
    return Line2D([], [], label=label, **shown)
