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
OFFSETS = tuple((d * math.cos(a), d * math.sin(a)) for d in DISTANCES for a in ANGLES)  # across and up
MARKER = 4.0  # half a marker's side, typographic points
LEADER_FROM = 12.0  # a label farther away than this is tied to its point by a line
FONT_SIZE = 7.0
LINE_COST = 0.3  # of a square pixel over a line, where one over a marker or another label costs 1
DISTANCE_COST = 0.1  # of a typographic point of distance: a thin line crossed is better than a label far away
OUTSIDE_COST = 1e6  # of a square pixel outside of the panel: more than covering anything

Boxes = NDArray[np.float64]
Line = tuple[float, float, float, float]  # x0, y0, x1, y1 in the data's units, horizontal or vertical


class Label(NamedTuple):
    """A text and where its point is, in the data's units."""

    text: str
    x: float
    y: float
    colour: str


def place_labels(
    axes: Axes, labels: Sequence[Label], markers: Sequence[tuple[float, float]], lines: Sequence[Line]
) -> None:
    """Write each label at the cheapest place around its point; the layout must stand by now.

    Args:
        axes: Panel whose limits are set.
        labels: Of the points, in the order in which they choose.
        markers: All of the panel, labelled or not, in the data's units: to keep off.
        lines: To keep clear of where there is room.
    """
    renderer = FigureCanvasAgg(axes.get_figure(root=True)).get_renderer()  # type: ignore[no-untyped-call]
    pixels = renderer.points_to_pixels(1.0)
    marked = axes.transData.transform(np.reshape(markers, (-1, 2)))
    solid = np.hstack([marked - MARKER * pixels, marked + MARKER * pixels])
    thin = axes.transData.transform(np.reshape(lines, (-1, 2))).reshape(-1, 4)
    thin = np.hstack([np.minimum(thin[:, :2], thin[:, 2:]) - 0.5, np.maximum(thin[:, :2], thin[:, 2:]) + 0.5])
    panel = np.array([axes.bbox.extents])
    for label in labels:
        centre = axes.transData.transform((label.x, label.y))
        text = _write(axes, label, (0.0, 0.0))
        boxes = _boxes(centre, text.get_window_extent(renderer).size, pixels)
        text.remove()
        outside = overlaps(boxes, boxes).diagonal() - overlaps(boxes, panel).sum(axis=1)
        best = int(np.argmin(
            overlaps(boxes, solid).sum(axis=1) + LINE_COST * overlaps(boxes, thin).sum(axis=1)
            + DISTANCE_COST * np.hypot(*np.transpose(OFFSETS)) + OUTSIDE_COST * outside
        ))  # fmt: skip
        _write(axes, label, OFFSETS[best])
        solid = np.vstack([solid, boxes[best]])


def overlaps(boxes: Boxes, others: Boxes) -> Boxes:
    """Return the areas that boxes have in common with others, (boxes, others).

    >>> overlaps(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 1.0, 3.0, 3.0], [2.0, 0.0, 4.0, 1.0]])).tolist()
    [[1.0, 0.0]]
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.asarray((high - low).clip(min=0).prod(axis=-1))


def _write(axes: Axes, label: Label, offset: tuple[float, float]) -> Annotation:
    leader = {"arrowstyle": "-", "color": label.colour, "linewidth": 0.5, "alpha": 0.7, "shrinkA": 0, "shrinkB": 3}
    return axes.annotate(
        label.text,
        (label.x, label.y),
        xytext=offset,
        textcoords="offset points",
        fontsize=FONT_SIZE,
        color=label.colour,
        ha="left" if offset[0] > 0 else "right",
        va="center",
        arrowprops=leader if math.hypot(*offset) > LEADER_FROM else None,
    )


def _boxes(centre: NDArray[np.float64], size: Sequence[float], pixels: float) -> Boxes:
    """Return where a text of this size would stand at each of OFFSETS: beside it, away from the point."""
    anchors = centre + pixels * np.array(OFFSETS)
    width, height = size
    left = np.where(np.array(OFFSETS)[:, 0] > 0, anchors[:, 0], anchors[:, 0] - width)
    return np.column_stack([left, anchors[:, 1] - height / 2, left + width, anchors[:, 1] + height / 2])
