"""Figures of the speed-ups over the batch size: a panel a scale and phase, a colour a length, dashed the floors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import ScalarFormatter

from bench.harness.arms import TWIN
from bench.pages.drawing import COLOURS, DARK, LIGHT, Drawing, named, panels, whisker, whiskers
from bench.pages.grouping import grouped
from bench.pages.results.gains import Gain
from bench.pages.results.machines import machine_names
from bench.pages.results.predicted import Predicted

DRAWN, ROUTING = ("decode", "prefill"), "uniform"
FLOOR_MARK: dict[str, Any] = {"linestyle": "--", "linewidth": 1.0, "marker": "_", "markersize": 9.0}  # one point shows
LEGEND_COLUMNS = 2  # below a panel: more are wider than it
PREDICTED_MARK: dict[str, Any] = {
    "linestyle": ":",
    "linewidth": 1.0,
    "marker": "o",
    "markersize": 3.0,
    "fillstyle": "none",
}


def speedup_figures(
    asked: Sequence[Gain], gains: Sequence[Gain], predicted: Sequence[Predicted] = ()
) -> dict[str, Drawing]:
    """Return the figures of the MoE against its dense twin; none where there is nothing to draw.

    Args:
        asked: gains at the scales that the project asks about: for the page, and for the README in both themes.
        gains: all, for the page where there are none of these.
        predicted: cells that were not measured.
    """
    pages = {"speedups": LIGHT, "speedups-dark": DARK}
    groups = _groups(asked)
    if not groups:
        groups, pages = _groups(gains), {"speedups": LIGHT}
    return {name: Drawing(lambda: _figure(groups, predicted), page) for name, page in pages.items() if groups}


def _groups(gains: Iterable[Gain]) -> list[list[Gain]]:
    """Return the gains of each panel."""
    drawn = [gain for gain in gains if (gain.against, gain.routing) == (TWIN, ROUTING) and gain.phase in DRAWN]
    ordered = sorted(drawn, key=lambda gain: (len(gain.scale), gain.scale, gain.phase))
    return grouped(ordered, lambda gain: (gain.scale, gain.phase, gain.machine))


def _figure(groups: Sequence[Sequence[Gain]], predicted: Sequence[Predicted]) -> Figure:
    lengths = sorted({gain.length for group in groups for gain in group}, key=lambda length: (len(length), length))
    colours = dict(zip(lengths, COLOURS * 2, strict=False))
    figure = panels(len(groups), width=1.3)
    for axes, group in zip(figure.axes, groups, strict=True):
        _draw(axes, group, colours)
        of_panel = [one for one in predicted if _is_of(one, group[0])]
        _draw_predicted(axes, of_panel, colours)
        axes.set(title=_title(group, groups), xlabel="requests in a batch", ylabel="times as fast as dense")
    marks = [
        Line2D([], [], color=colour, marker="o", label=f"{named(name)} tokens") for name, colour in colours.items()
    ]
    marks += [whisker(), Line2D([], [], color=mpl.rcParams["text.color"], label="ratio of the floors", **FLOOR_MARK)]
    if predicted:
        marks.append(Line2D([], [], color=mpl.rcParams["text.color"], label="predicted", **PREDICTED_MARK))
    figure.legend(handles=marks, loc="outside lower center", ncols=LEGEND_COLUMNS * min(2, len(groups)))
    return figure


def _title(group: Sequence[Gain], groups: Sequence[Sequence[Gain]]) -> str:
    """Name scale and phase, whether any is extrapolated, and the machine where several measured them."""
    one = group[0]
    alike = [other[0] for other in groups if (other[0].scale, other[0].phase) == (one.scale, one.phase)]
    machine = machine_names(alike)[one.scale, one.machine]
    mark = " (extrapolated)" if any(gain.depths for gain in group) else ""
    return named(f"{one.scale}, {one.phase}{mark}") + (f"\n{named(machine)}" if machine else "")


def _draw(axes: Axes, gains: Sequence[Gain], colours: Mapping[str, str]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.axhline(1.0, color=mpl.rcParams["text.color"], linewidth=0.8)
    for length, colour in colours.items():
        line = sorted((gain for gain in gains if gain.length == length), key=lambda gain: gain.batch_size)
        batches, speedups = [gain.batch_size for gain in line], [gain.speedup for gain in line]
        estimates = [one.estimate for one in speedups]
        axes.errorbar(batches, estimates, whiskers(speedups), color=colour, marker="o", markersize=3, lw=1.2)
        predicted = [(gain.batch_size, gain.predicted) for gain in line if gain.predicted]
        axes.plot(*zip(*predicted, strict=True), color=colour, **FLOOR_MARK) if predicted else None
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ScalarFormatter())
    axes.set_xticks(sorted({gain.batch_size for gain in gains}))


def _is_of(one: Predicted, gain: Gain) -> bool:
    same = ("scale", "phase", "machine", "against", "routing")
    return all(getattr(one, name) == getattr(gain, name) for name in same)


def _draw_predicted(axes: Axes, predicted: Sequence[Predicted], colours: Mapping[str, str]) -> None:
    """Draw the cells that were not measured, a line a length, hollow."""
    for length, colour in colours.items():
        line = sorted((one for one in predicted if one.length == length), key=lambda one: one.batch_size)
        if line:
            axes.plot([one.batch_size for one in line], [one.speedup for one in line], color=colour, **PREDICTED_MARK)
    if predicted:
        axes.set_xticks(sorted({*axes.get_xticks(), *(one.batch_size for one in predicted)}))
