"""Figure of the speed-ups over the batch size: a panel a scale and phase, a colour a length, dashed the floors."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import ScalarFormatter

from bench.harness.plot.style import COLOURS, INK, STYLE, panels, save
from bench.harness.results.cells import Cell
from bench.harness.results.tables import PHASES

AGAINST, ROUTING = "dense", "uniform"
COLUMNS = 2


def draw_speedups(cells: Sequence[Cell], paths: Sequence[Path]) -> None:
    """Draw the MoE against its dense twin.

    Args:
        cells: Of prefill and decode; others are left out.
        paths: Of the files, whose suffixes are their formats.

    Raises:
        ValueError: No cell is of prefill or decode against the twin.
    """
    drawn = [cell for cell in cells if cell.benchmark in PHASES and cell.against == AGAINST and cell.routing == ROUTING]
    if not drawn:
        raise ValueError(
            f"records must hold prefill or decode under {ROUTING} routing with a dense arm to be drawn, got none; "
            "name others"
        )
    lengths = sorted({cell.length for cell in drawn}, key=lambda length: (len(length), length))
    colours = dict(zip(lengths, COLOURS * 2, strict=False))
    groups: dict[str, list[Cell]] = {}
    for cell in drawn:
        groups.setdefault(f"{cell.scale}, {PHASES[cell.benchmark]}", []).append(cell)
    columns = min(COLUMNS, len(groups))
    with mpl.rc_context(STYLE):
        figure = panels(columns, math.ceil(len(groups) / columns), width=1.3, same_y=False)
        for axes in figure.axes[len(groups) :]:
            axes.set_axis_off()
        for axes, (title, group) in zip(figure.axes, sorted(groups.items()), strict=False):
            _draw(axes, group, colours)
            axes.set(title=title, xlabel="requests in a batch", ylabel="times as fast as dense", ylim=(0, None))
        marks = [Line2D([], [], color=colour, marker="o", label=f"{name} tokens") for name, colour in colours.items()]
        marks.append(Line2D([], [], color=INK, linestyle="--", label="floors allow"))
        figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            save(figure, path)


def _draw(axes: Axes, cells: Sequence[Cell], colours: dict[str, str]) -> None:
    axes.set_xscale("log", base=2)
    axes.axhline(1.0, color=INK, linewidth=0.8)
    for length, colour in colours.items():
        line = sorted((cell for cell in cells if cell.length == length), key=lambda cell: cell.batch_size)
        batches, speedups = [cell.batch_size for cell in line], [cell.speedup for cell in line]
        whiskers = [
            [max(0.0, s.estimate - s.low) for s in speedups],
            [max(0.0, s.high - s.estimate) for s in speedups],
        ]
        axes.errorbar(batches, [s.estimate for s in speedups], whiskers, color=colour, marker="o", markersize=3, lw=1.2)
        predicted = [(cell.batch_size, cell.predicted) for cell in line if cell.predicted]
        axes.plot(*zip(*predicted, strict=True), color=colour, linestyle="--", linewidth=1) if predicted else None
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xticks(sorted({cell.batch_size for cell in cells}))
