"""Put labels beside points so that none covers another or a marker: of some places around each, the cheapest.

Boxes are rows (x0, y0, x1, y1) in pixels.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation
from numpy.typing import NDArray

# Directions from a point, in the order of preference; none is straight up, where a text would have no side.
ANGLES = tuple(math.radians(degrees) for degrees in (0, 35, 325, 180, 145, 215, 65, 295, 115, 245, 89, 271))
DISTANCES = (7.0, 13.0, 20.0, 28.0, 38.0, 50.0, 64.0, 80.0)  # typographic points from the marker's centre
OFFSETS = np.array([(d * math.cos(a), d * math.sin(a)) for d in DISTANCES for a in ANGLES])  # across and up
MARKER = 4.0  # half a marker's side, typographic points
LEADER_FROM = 12.0  # a label farther away than this is tied to its point by a line
FONT_SIZE = 7.0
LINE_COST = 0.3  # of a square pixel over a line, where one over a marker or another label costs 1
DISTANCE_COST = 0.2  # of a typographic point of distance: a thin line crossed is better than a label far away
OUTSIDE_COST = 1e6  # of a square pixel outside of the panel: more than covering anything

Boxes = NDArray[np.float64]
NOTHING = np.empty((0, 4))


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
    drawn = [(line.get_transform().transform(line.get_xydata()), line.get_marker() != "None") for line in axes.lines]
    solid = np.vstack([_around(ends, ends, MARKER * pixels) for ends, is_marker in drawn if is_marker])
    thin = np.vstack([NOTHING, *(_around(ends[:-1], ends[1:], 0.5) for ends, is_marker in drawn if not is_marker)])
    for label in labels:
        text = _write(axes, label, OFFSETS[0])
        size = np.array(text.get_window_extent(renderer).size)
        text.remove()
        anchors = axes.transData.transform((label.x, label.y)) + pixels * OFFSETS
        low = anchors - size * np.column_stack([OFFSETS[:, 0] <= 0, np.full(len(OFFSETS), 0.5)])
        boxes = np.hstack([low, low + size])
        outside = size.prod() - overlaps(boxes, np.array([axes.bbox.extents])).sum(axis=1)
        cost = overlaps(boxes, solid).sum(axis=1) + LINE_COST * overlaps(boxes, thin).sum(axis=1)
        best = int(np.argmin(cost + DISTANCE_COST * np.hypot(*OFFSETS.T) + OUTSIDE_COST * outside))
        _write(axes, label, OFFSETS[best])
        solid = np.vstack([solid, boxes[best]])


def _around(ends: Boxes, others: Boxes, room: float) -> Boxes:
    """Return the boxes from points to others, with so many pixels around."""
    return np.hstack([np.minimum(ends, others) - room, np.maximum(ends, others) + room])


def overlaps(boxes: Boxes, others: Boxes) -> Boxes:
    """Return the areas that boxes have in common with others, (boxes, others).

    >>> overlaps(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 1.0, 3.0, 3.0], [2.0, 0.0, 4.0, 1.0]])).tolist()
    [[1.0, 0.0]]
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.asarray((high - low).clip(min=0).prod(axis=-1))


def _write(axes: Axes, label: Label, offset: NDArray[np.float64]) -> Annotation:
    leader = {"arrowstyle": "-", "color": label.colour, "linewidth": 0.5, "alpha": 0.7, "shrinkA": 0, "shrinkB": 3}
    return axes.annotate(
        label.text,
        (label.x, label.y),
        xytext=(offset[0], offset[1]),
        textcoords="offset points",
        fontsize=FONT_SIZE,
        color=label.colour,
        ha="left" if offset[0] > 0 else "right",
        va="center",
        arrowprops=leader if np.hypot(*offset) > LEADER_FROM else None,
    )
