"""Figures of the front: accuracy against throughput, a panel a task, intervals on both axes, the front a staircase."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.harness.metrics import METRICS
from bench.harness.pareto.documents import Tier
from bench.harness.pareto.front import Placed, Standing, by_basis, picks, place
from bench.harness.pareto.points import Point
from bench.harness.pareto.tables import KINDS, TITLES, unit_of
from bench.harness.plot.labels import Label, Line, place_labels
from bench.harness.plot.style import COLOURS, INK, STYLE, panels, save

SERIES_COLOURS = (*COLOURS, "#2a98a8", "#8a6d5a")  # variants of a twin, and weights of its loss
MARKERS = {"dense": "o", "moe": "s", "smoes": "D", "ablation": "^"}
COLUMNS = 2
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
    series = list(dict.fromkeys(point.series for point in tier.points))
    colours = {name: SERIES_COLOURS[index % len(SERIES_COLOURS)] for index, name in enumerate(series)}
    columns = min(COLUMNS, len(tier.tasks))
    with mpl.rc_context({**STYLE, "savefig.dpi": DPI}):
        figure = panels(columns, math.ceil(len(tier.tasks) / columns), width=1.7, height=1.8, same_y=False)
        drawn = {task: place(tier.of(task), axis) for task in tier.tasks}
        for axes, (task, placed) in zip(figure.axes, drawn.items(), strict=False):
            _draw(axes, placed, axis, colours)
            axes.set(
                title=TITLES.get(task, task), xlabel=f"{METRICS[axis].label}, {unit_of(axis)}", ylabel="accuracy, %"
            )
        for axes in figure.axes[len(drawn) :]:
            axes.set_axis_off()
        _legend(figure, tier.points, colours)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # labels are placed in what the layout left
        for axes, placed in zip(figure.axes, drawn.values(), strict=False):
            _label(axes, placed, axis, colours)
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            save(figure, path)


def _draw(axes: Axes, placed: Sequence[Placed], axis: str, colours: Mapping[str, str]) -> None:
    for point, standing, _ in placed:
        x, y = point.throughput[axis], [100 * value for value in point.accuracy]
        axes.hlines(y[0], x.low, x.high, color=colours[point.series], linewidth=0.8, alpha=0.45)
        axes.vlines(x.estimate, y[1], y[2], color=colours[point.series], linewidth=0.8, alpha=0.45)
        axes.plot(
            x.estimate, y[0], marker=MARKERS[point.kind], color=colours[point.series], markersize=5, linestyle="none",
            fillstyle="full" if standing is Standing.FRONT else "none",
        )  # fmt: skip
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


def _label(axes: Axes, placed: Sequence[Placed], axis: str, colours: Mapping[str, str]) -> None:
    labels, lines = [], _staircase(placed, axis, axes.get_xlim()[0])
    for point, _, _ in sorted(placed, key=lambda one: one.point.throughput[axis].estimate):
        x, y = point.throughput[axis], [100 * value for value in point.accuracy]
        labels.append(Label(point.size or point.series, x.estimate, y[0], colours[point.series]))
        lines += [(x.low, y[0], x.high, y[0]), (x.estimate, y[1], x.estimate, y[2])]
    place_labels(axes, labels, lines)


def _legend(figure: Figure, points: Sequence[Point], colours: Mapping[str, str]) -> None:
    """Name colours, markers and lines below the panels."""
    kinds = {name: {point.kind for point in points if point.series == name} for name in colours}
    handles = [
        Line2D([], [], color=colour, marker=MARKERS[min(kinds[name])], linestyle="none", markersize=5, label=name)
        for name, colour in colours.items()
    ]
    handles += [
        Line2D([], [], color=INK, marker=MARKERS[kind], linestyle="none", markersize=5, label=KINDS[kind])
        for kind in MARKERS
        if any(point.kind == kind for point in points)
    ]
    handles.append(Line2D([], [], color=INK, marker="o", fillstyle="none", linestyle="none", markersize=5,
                          label="not on the front"))  # fmt: skip
    handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=0.8, label="front, by estimates"))
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=7)
