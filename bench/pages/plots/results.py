"""Figures of the speed-ups over the batch size: a panel a scale and phase, a colour a length, dashed the floors."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import ScalarFormatter

from bench.harness.arms import TWIN
from bench.pages.grouping import grouped
from bench.pages.plots.style import COLOURS, Page, panels, save, style_on
from bench.pages.results.gains import Gain

DRAWN, ROUTING = ("decode", "prefill"), "uniform"
COLUMNS = 2
FLOOR_MARK: dict[str, Any] = {"linestyle": "--", "linewidth": 1.0, "marker": "_", "markersize": 9.0}  # one point shows


def draw_speedups(gains: Iterable[Gain], paths: Mapping[Path, Page]) -> list[Path]:
    """Draw the MoE against its dense twin, in prefill and decode.

    Args:
        gains: of any phase and rival; others are left out.
        paths: of the files, whose suffixes are their formats, and what each lies on.

    Returns:
        The files that were written: none where there is nothing to draw.
    """
    drawn = [gain for gain in gains if (gain.against, gain.routing) == (TWIN, ROUTING) and gain.phase in DRAWN]
    ordered = sorted(drawn, key=lambda gain: (len(gain.scale), gain.scale, gain.phase))
    groups = grouped(ordered, lambda gain: (gain.scale, gain.phase, gain.machine))
    for path, page in paths.items() if groups else ():
        path.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(style_on(page)):
            save(_figure(groups, page), path)
    return list(paths) if groups else []


def _figure(groups: Sequence[Sequence[Gain]], page: Page) -> Figure:
    lengths = sorted({gain.length for group in groups for gain in group}, key=lambda length: (len(length), length))
    colours = dict(zip(lengths, COLOURS * 2, strict=False))
    columns = min(COLUMNS, len(groups))
    figure = panels(columns, math.ceil(len(groups) / columns), width=1.3, same_y=False)
    if page.paper:
        figure.patch.set(facecolor=page.paper, alpha=1.0)
    for axes in figure.axes[len(groups) :]:
        axes.set_axis_off()
    for axes, group in zip(figure.axes, groups, strict=False):
        _draw(axes, group, colours, page)
        axes.set(title=_title(group, groups), xlabel="requests in a batch", ylabel="times as fast as dense")
    marks = [Line2D([], [], color=colour, marker="o", label=f"{name} tokens") for name, colour in colours.items()]
    marks.append(Line2D([], [], color=page.ink, label="ratio of the floors", **FLOOR_MARK))
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return figure


def _title(group: Sequence[Gain], groups: Sequence[Sequence[Gain]]) -> str:
    """Name scale and phase, whether any is extrapolated, and the machine where several measured them."""
    one = group[0]
    machines = sum((other[0].scale, other[0].phase) == (one.scale, one.phase) for other in groups)
    mark = " (extrapolated)" if any(gain.depths for gain in group) else ""
    return f"{one.scale}, {one.phase}{mark}" + (f"\n{one.machine}" if machines > 1 else "")


def _draw(axes: Axes, gains: Sequence[Gain], colours: Mapping[str, str], page: Page) -> None:
    axes.set_xscale("log", base=2)
    axes.axhline(1.0, color=page.ink, linewidth=0.8)
    for length, colour in colours.items():
        line = sorted((gain for gain in gains if gain.length == length), key=lambda gain: gain.batch_size)
        batches, speedups = [gain.batch_size for gain in line], [gain.speedup for gain in line]
        whiskers = [
            [max(0.0, s.estimate - s.low) for s in speedups],
            [max(0.0, s.high - s.estimate) for s in speedups],
        ]
        axes.errorbar(batches, [s.estimate for s in speedups], whiskers, color=colour, marker="o", markersize=3, lw=1.2)
        predicted = [(gain.batch_size, gain.predicted) for gain in line if gain.predicted]
        axes.plot(*zip(*predicted, strict=True), color=colour, **FLOOR_MARK) if predicted else None
    axes.set_ylim(0, None)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xticks(sorted({gain.batch_size for gain in gains}))
