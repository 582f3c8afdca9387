"""Put labels beside points so that none covers another or a marker: of some places around each, the cheapest."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from bench.pages.drawing import named

# Directions from a point, in the order of preference; none is straight up, where a text would have no side.
ANGLES = tuple(math.radians(degrees) for degrees in (0, 35, 325, 180, 145, 215, 65, 295, 115, 245, 89, 271))
DISTANCES = (7.0, 13.0, 20.0, 28.0, 38.0, 50.0, 64.0, 80.0)  # typographic points from the marker's centre
OFFSETS = [(reach * math.cos(angle), reach * math.sin(angle)) for reach in DISTANCES for angle in ANGLES]
MARKER = 4.0  # half a marker's side, typographic points
LEADER_FROM = 12.0  # a label farther away than this is tied to its point by a line
FONT_SIZE = 9.5
OUTSIDE, COVERS, CROSSES = 1e6, 1e3, 10.0  # costs of a place, in typographic points of distance; of each thing there


class Label(NamedTuple):
    """A text and where its point is, in the data's units."""

    text: str
    x: float
    y: float
    colour: str


def place_labels(axes: Axes, labels: Sequence[Label]) -> None:
    """Write each label at the cheapest place around its point: off markers and labels, clear of lines where it can be.

    Args:
        axes: Panel with all that is drawn; its limits and the layout must stand by now.
        labels: Of the points, in the order in which they choose.
    """
    renderer = FigureCanvasAgg(axes.get_figure(root=True)).get_renderer()  # type: ignore[no-untyped-call]
    pixels = renderer.points_to_pixels(1.0)
    solid, thin = _boxes(axes, MARKER * pixels)
    for label in labels:
        text = _write(axes, label, OFFSETS[0])
        width, height = text.get_window_extent(renderer).size
        text.remove()
        x, y = axes.transData.transform((label.x, label.y))
        costs = {}
        for across, up in OFFSETS:
            left = x + pixels * across - (0 if across > 0 else width)
            box = Bbox.from_bounds(left, y + pixels * up - height / 2, width, height)
            seen = Bbox.intersection(box, axes.bbox)
            outside = seen is None or not np.allclose(seen.bounds, box.bounds)
            cost = OUTSIDE * outside + COVERS * box.count_overlaps(solid) + CROSSES * box.count_overlaps(thin)
            costs[across, up] = cost + math.hypot(across, up), box
        best = min(costs, key=lambda offset: costs[offset][0])
        solid.append(costs[best][1])
        _write(axes, label, best)


def _boxes(axes: Axes, room: float) -> tuple[list[Bbox], list[Bbox]]:
    """Return what is around markers, and what each straight piece of a line covers, in pixels."""
    drawn = [(line.get_transform().transform(line.get_xydata()), line.get_marker() != "None") for line in axes.lines]
    solid = [Bbox([point, point]).padded(room) for points, is_marker in drawn if is_marker for point in points]
    lines = [points for points, is_marker in drawn if not is_marker]
    pieces = [
        (ends.min(axis=0), ends.max(axis=0)) for points in lines for ends in np.stack([points[:-1], points[1:]], 1)
    ]
    return solid, [Bbox(corners).padded(0.5) for corners in pieces]


def _write(axes: Axes, label: Label, offset: tuple[float, float]) -> Annotation:
    leader = {"arrowstyle": "-", "color": label.colour, "linewidth": 0.5, "alpha": 0.7, "shrinkA": 0, "shrinkB": 3}
    text = axes.annotate(
        named(label.text),
        (label.x, label.y),
        xytext=offset,
        textcoords="offset points",
        fontsize=FONT_SIZE,
        color=label.colour,
        ha="left" if offset[0] > 0 else "right",
        va="center",
        arrowprops=leader if math.hypot(*offset) > LEADER_FROM else None,
    )
    text.set_in_layout(False)  # the panels stay where they were measured
    return text
