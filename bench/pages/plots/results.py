"""Figures of the speed-ups over the batch size: a panel a scale and phase, a colour a length, dashed the floors."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import ScalarFormatter

from bench.pages.plots.style import ANY_PAGE, COLOURS, Page, panels, save, style_on
from bench.pages.results.gains import Gain
from bench.pages.results.tables import PHASES

AGAINST, ROUTING = "dense", "uniform"
COVER_SCALES = ("7b", "34b")  # what the project asks about
COLUMNS = 2
FLOOR_MARK: dict[str, Any] = {"linestyle": "--", "linewidth": 1.0, "marker": "_", "markersize": 9.0}  # one point shows


def draw_speedups(gains: Sequence[Gain], paths: Sequence[Path], *, page: Page = ANY_PAGE) -> None:
    """Draw the MoE against its dense twin.

    Args:
        gains: Of prefill and decode; others are left out.
        paths: Of the files, whose suffixes are their formats.
        page: What the figure lies on.

    Raises:
        ValueError: No gain is of prefill or decode against the twin.
    """
    drawn = [gain for gain in gains if _is_drawn(gain)]
    if not drawn:
        raise ValueError(
            f"records must hold prefill or decode under {ROUTING} routing with a dense arm to be drawn, got none; "
            "name others"
        )
    lengths = sorted({gain.length for gain in drawn}, key=lambda length: (len(length), length))
    colours = dict(zip(lengths, COLOURS * 2, strict=False))
    groups = _by_panel(drawn)
    columns = min(COLUMNS, len(groups))
    with mpl.rc_context(style_on(page)):
        figure = panels(columns, math.ceil(len(groups) / columns), width=1.3, same_y=False)
        if page.paper:
            figure.patch.set(facecolor=page.paper, alpha=1.0)
        for axes in figure.axes[len(groups) :]:
            axes.set_axis_off()
        for axes, (title, group) in zip(figure.axes, groups.items(), strict=False):
            _draw(axes, group, colours, page)
            axes.set(title=title, xlabel="requests in a batch", ylabel="times as fast as dense", ylim=(0, None))
        marks = [Line2D([], [], color=colour, marker="o", label=f"{name} tokens") for name, colour in colours.items()]
        marks.append(Line2D([], [], color=page.ink, label="ratio of the floors", **FLOOR_MARK))
        figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            save(figure, path)


def draw_covers(gains: Sequence[Gain], paths: Mapping[Path, Page]) -> list[Path]:
    """Draw the scales that the project asks about, for pages of one theme each.

    Args:
        gains: As `draw_speedups` takes them.
        paths: Of the files, and what each lies on.

    Returns:
        The files that were written: none where no gain is of these scales.
    """
    asked = [gain for gain in gains if gain.scale in COVER_SCALES]
    written = []
    for path, page in paths.items() if any(map(_is_drawn, asked)) else ():
        draw_speedups(asked, [path], page=page)
        written.append(path)
    return written


def _is_drawn(gain: Gain) -> bool:
    return gain.benchmark in PHASES and gain.against == AGAINST and gain.routing == ROUTING


def _by_panel(gains: Iterable[Gain]) -> dict[str, list[Gain]]:
    """Group gains by title: scale, phase, whether any is extrapolated, and the machine where several measured them."""
    found: dict[tuple[str, str], dict[str, list[Gain]]] = {}
    for gain in sorted(gains, key=lambda gain: (gain.scale.rjust(8), gain.benchmark)):
        found.setdefault((gain.scale, PHASES[gain.benchmark]), {}).setdefault(gain.machine, []).append(gain)
    groups = {}
    for (scale, phase), machines in found.items():
        for machine, group in machines.items():
            mark = " (extrapolated)" if any(gain.depths for gain in group) else ""
            place = f"\n{machine}" if len(machines) > 1 else ""
            groups[f"{scale}, {phase}{mark}{place}"] = group
    return groups


def _draw(axes: Axes, gains: Sequence[Gain], colours: dict[str, str], page: Page) -> None:
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
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xticks(sorted({gain.batch_size for gain in gains}))
