"""Figures of the front: accuracy against throughput, a panel a task, intervals on both axes, the front a staircase."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.harness.metrics import METRICS
from bench.pages.pareto.documents import Tier
from bench.pages.pareto.front import Placed, by_basis, picks, place
from bench.pages.pareto.tables import TITLES, unit_of
from bench.pages.plots.labels import Label, Line, place_labels
from bench.pages.plots.marks import Marks, align_legends, draw_legends, label_of, looks, marks_of
from bench.pages.plots.style import INK, STYLE, panels, save

COLUMNS = 2
HEIGHT = 1.5  # of a panel, in usual ones
DPI = 160  # of the PNG
WIDE = 5.0  # ratio of a panel's ends from which few of its minor ticks are named
MARGIN = 0.06  # of a panel, free around the whiskers


def draw_front(tier: Tier, axis: str, paths: Sequence[Path]) -> None:
    """Draw one tier over one throughput.

    Args:
        tier: The tier's points.
        axis: The throughput.
        paths: Of the files, whose suffixes are their formats; their folders are made.
    """
    with mpl.rc_context({**STYLE, "savefig.dpi": DPI}):
        figure = front_figure(tier, axis)
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            save(figure, path)


def front_figure(tier: Tier, axis: str) -> Figure:
    """Return the figure of one tier over one throughput: a panel a task, laid out and labelled."""
    marks, columns = marks_of(tier.points), min(COLUMNS, len(tier.tasks))
    figure = panels(columns, math.ceil(len(tier.tasks) / columns), width=1.7, height=HEIGHT, same_y=False)
    drawn = {task: place(tier.of(task), axis) for task in tier.tasks}
    for axes, (task, placed) in zip(figure.axes, drawn.items(), strict=False):
        _draw(axes, placed, axis, marks)
        axes.set(title=TITLES.get(task, task), xlabel=f"{METRICS[axis].label}, {unit_of(axis)}", ylabel="accuracy, %")
    for axes in figure.axes[len(drawn) :]:
        axes.set_axis_off()
    draw_legends(figure, tier.points, marks, columns)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # labels are placed in what the layout left
    align_legends(figure)
    for axes, placed in zip(figure.axes, drawn.values(), strict=False):
        _label(axes, placed, axis, marks)
    return figure


def _draw(axes: Axes, placed: Sequence[Placed], axis: str, marks: Marks) -> None:
    for one in placed:
        x, y = one.point.throughput[axis], [100 * value for value in one.point.accuracy]
        colour = marks.colours[one.point.series]
        axes.hlines(y[0], x.low, x.high, color=colour, linewidth=0.8, alpha=0.45)
        axes.vlines(x.estimate, y[1], y[2], color=colour, linewidth=0.8, alpha=0.45)
        axes.plot(x.estimate, y[0], **looks(marks, one))
    axes.set_xscale("log")
    axes.margins(MARGIN)
    left = axes.get_xlim()[0]
    for x0, y0, x1, y1 in _staircase(placed, axis, left):
        axes.plot([x0, x1], [y0, y1], color=INK, linewidth=0.8, linestyle="--", zorder=0)
    axes.set_xlim(left=left)
    blind = [100 * point.blind for point, _, _ in placed if point.blind is not None]
    if blind:
        _tell_blind(axes, max(blind))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    right = axes.get_xlim()[1]
    shown = (2, 5) if right > WIDE * left else range(1, 10)  # digits: of a narrow panel all, or it would show one
    axes.xaxis.set_minor_formatter(lambda value, _: f"{value:,.10g}" if _leading_digit(value) in shown else "")
    axes.tick_params(which="both", labelsize=7, length=3)


def _tell_blind(axes: Axes, blind: float) -> None:
    """Say what the best guess without sight scores: a line where it is in sight, else words, which flatten nothing."""
    is_in_sight = blind > axes.get_ylim()[0]
    if is_in_sight:
        axes.axhline(blind, color=INK, linewidth=0.6, linestyle=":", zorder=0)
    said = f"without sight: {blind:.0f} %" + ("" if is_in_sight else ", below this axis")
    axes.text(0.01, 0.01, said, transform=axes.transAxes, fontsize=7)


def _staircase(placed: Sequence[Placed], axis: str, left: float) -> list[Line]:
    """Return the lines of the best accuracy at each throughput, of each basis, from the panel's left side on."""
    return [line for part in by_basis(placed).values() for line in _stairs(part, axis, left)]


def _stairs(placed: Sequence[Placed], axis: str, left: float) -> list[Line]:
    steps = [(pick.up_to, 100 * pick.point.accuracy.estimate) for pick in picks(placed, axis)]
    starts = [left, *(x for x, _ in steps)]
    across = [(start, y, x, y) for start, (x, y) in zip(starts, steps, strict=False)]
    down = [(x, y, x, below) for (x, y), (_, below) in itertools.pairwise(steps)]
    return [*across, *down]


def _leading_digit(value: float) -> int:
    """Return a number's first digit.

    >>> _leading_digit(2000.0), _leading_digit(0.5)
    (2, 5)
    """
    return int(f"{value:e}"[0])


def _label(axes: Axes, placed: Sequence[Placed], axis: str, marks: Marks) -> None:
    lines, markers = _staircase(placed, axis, axes.get_xlim()[0]), []
    labels = []
    for one in sorted(placed, key=lambda one: one.point.throughput[axis].estimate):
        x, y = one.point.throughput[axis], [100 * value for value in one.point.accuracy]
        lines += [(x.low, y[0], x.high, y[0]), (x.estimate, y[1], x.estimate, y[2])]
        markers.append((x.estimate, y[0]))
        if said := label_of(one):
            labels.append(Label(said, x.estimate, y[0], marks.colours[one.point.series]))
    place_labels(axes, labels, markers, lines)
