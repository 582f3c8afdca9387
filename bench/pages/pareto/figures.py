"""Figures of the front: accuracy against throughput, a panel a task, intervals on both axes, the front a staircase."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from bench.harness.metrics import METRICS
from bench.pages.drawing import INK, named, panels
from bench.pages.pareto.documents import Tier
from bench.pages.pareto.front import Placed, place, steps
from bench.pages.pareto.labels import FONT_SIZE, Label, place_labels
from bench.pages.pareto.marks import ONE_SEED, UNFINISHED, WHISKER_ALPHA, Marks, label_of, legend, looks, marks_of
from bench.pages.pareto.points import TITLES

WIDTH, HEIGHT = 1.3, 1.25  # of a panel, in usual ones
LEGEND_COLUMNS = 4  # below the panels, for beside them it would shrink all text
WIDE = 5.0  # ratio of a panel's ends from which its ticks are few
MARGIN = 0.06  # of a panel, free around the whiskers


def front_figure(tier: Tier, axis: str) -> Figure:
    """Return the figure of one tier over one throughput: a panel a task, laid out and labelled."""
    marks = marks_of(tier.points)
    figure = panels(len(tier.tasks), width=WIDTH, height=HEIGHT)
    drawn = {task: place(tier.of(task), axis) for task in tier.tasks}
    for axes, (task, placed) in zip(figure.axes, drawn.items(), strict=True):
        _draw(axes, placed, axis, marks)
        axes.set(title=named(TITLES.get(task, task)), xlabel=f"{METRICS[axis].label}, {METRICS[axis].unit}")
        axes.set_ylabel("accuracy, %")
    figure.legend(handles=legend(tier.points, marks), loc="outside lower center", ncols=LEGEND_COLUMNS)
    figure.draw_without_rendering()  # labels are placed in what the layout leaves
    for axes, placed in zip(figure.axes, drawn.values(), strict=True):
        place_labels(axes, _labels(placed, axis, marks))
    return figure


def _draw(axes: Axes, placed: Sequence[Placed], axis: str, marks: Marks) -> None:
    for one in placed:
        x, y = one.point.throughput[axis], [100 * value for value in one.point.accuracy]
        whisker: dict[str, Any] = {"color": marks.colours[one.point.series], "linewidth": 0.8, "alpha": WHISKER_ALPHA}
        axes.plot([x.low, x.high], [y[0], y[0]], **whisker)
        axes.plot([x.estimate, x.estimate], y[1:], **whisker)
        axes.plot(x.estimate, y[0], **looks(marks, one))
        if one.point.has_one_seed:
            axes.plot(x.estimate, y[0], **ONE_SEED)
        if one.point.num_unfinished:
            axes.plot(x.estimate, y[0], **UNFINISHED)
    axes.set_xscale("log")
    axes.margins(MARGIN)
    left, right = axes.get_xlim()
    for front in steps(placed):
        rates = [left, *(one.rate.estimate for one in front)]
        heights = [100 * one.point.accuracy.estimate for one in front]
        axes.plot(np.repeat(rates, 2)[1:-1], np.repeat(heights, 2), color=INK, linewidth=0.8, linestyle="--", zorder=0)
    axes.set_xlim(left, right)
    blind = [100 * one.point.blind for one in placed if one.point.blind is not None]
    if blind:
        _tell_blind(axes, max(blind))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if right > WIDE * left else range(1, 10)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(length=3)


def _tell_blind(axes: Axes, blind: float) -> None:
    """Say what the best guess without sight scores, with a line where it is in sight: to show it would flatten all."""
    if blind > axes.get_ylim()[0]:
        axes.axhline(blind, color=INK, linewidth=0.6, linestyle=":", zorder=0)
    axes.text(0.01, 0.01, f"without sight: {blind:.0f} %", transform=axes.transAxes, fontsize=FONT_SIZE)


def _labels(placed: Sequence[Placed], axis: str, marks: Marks) -> list[Label]:
    """Return what is written at points, those of the best first: of two at one throughput its label is above."""
    best_first = sorted((one for one in placed if label_of(one)), key=lambda one: -one.point.accuracy.estimate)
    return [
        Label(
            text=label_of(one),
            x=one.point.throughput[axis].estimate,
            y=100 * one.point.accuracy.estimate,
            colour=marks.colours[one.point.series],
        )
        for one in best_first
    ]
