"""Figures of decoder layers: time against the experts' specialization, and the parts that a layer is made of."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.harness.layers.cells import LAYER, PARTS, Cell
from bench.harness.plot.style import COLOURS, INK, STYLE, panels, save

MS = 1e3  # milliseconds in a second
COLUMNS = 2
LEGEND_PLACE: Final = "outside right center"
MARKS = {  # what a line of the first figure is -> how it is drawn
    "layer": {"marker": "o", "markerfacecolor": "none"},
    "its experts": {"marker": "o"},
    "experts, predicted": {"linestyle": "--"},
}


def draw_layers(cells: Sequence[Cell], folder: Path) -> list[Path]:
    """Draw every figure of layers.

    Args:
        cells: As `bench.harness.layers.read_cells` returns them.
        folder: Takes the files; made if needed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        drawn = {name: draw(cells) for name, draw in LAYER_FIGURES.items()}
        return [save(figure, folder / f"{name}.svg") for name, figure in drawn.items()]


def _longest(cells: Iterable[Cell]) -> list[Cell]:
    """Keep the longest prompts of those at several lengths: one of each batch size, routing and arm."""
    longest: dict[tuple[object, ...], Cell] = {}
    for cell in cells:  # in the order of lengths
        longest[cell.scale, cell.params["phase"], cell.batch_size, cell.params["routing"], cell.arm] = cell
    return list(longest.values())


def _panels(groups: Mapping[str, object], *, same_y: bool) -> Figure:
    """Make a titled panel for each group, COLUMNS in a row."""
    columns = min(COLUMNS, len(groups))
    figure = panels(columns, math.ceil(len(groups) / columns), width=1.15, same_y=same_y)
    for axes in figure.axes[len(groups) :]:
        axes.set_axis_off()
    for axes, title in zip(figure.axes, groups, strict=False):
        axes.set_title(title)
    return figure


def _by_panel(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Group cells by scale and phase."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(f"{cell.scale}, {cell.params['phase']}", []).append(cell)
    return groups


def draw_specialization(cells: Sequence[Cell]) -> Figure:
    """Draw the time of a layer and of its experts against MSI, a colour a batch size; dashed: what is predicted."""
    moes = _longest(cell for cell in cells if cell.is_moe)
    colours = dict(zip(sorted({cell.batch_size for cell in moes}), COLOURS * 2, strict=False))
    groups = _by_panel(moes)
    figure = _panels(groups, same_y=False)
    for axes, group in zip(figure.axes, groups.values(), strict=False):
        for batch_size, colour in colours.items():
            _draw_line(axes, [cell for cell in group if cell.batch_size == batch_size], colour)
        axes.set(xlabel="MSI of the prompt", ylabel="ms a layer", xlim=(0, 1.03), ylim=(0, None))
    marks = [Line2D([], [], color=INK, label=name, **mark) for name, mark in MARKS.items()]  # type: ignore[arg-type]
    batches = [Patch(color=colour, label=f"batch {batch_size}") for batch_size, colour in colours.items()]
    figure.legend(handles=[*marks, *batches], loc=LEGEND_PLACE)
    return figure


def _draw_line(axes: Axes, cells: Sequence[Cell], colour: str) -> None:
    """Draw one batch size: layer, experts and prediction."""
    line = sorted(cells, key=lambda cell: cell.facts["msi"])
    msi = [cell.facts["msi"] for cell in line]
    for part, fill in ((LAYER, "none"), ("experts", colour)):
        found = [cell.seconds(part) for cell in line]
        whiskers = [[MS * (f.estimate - f.low) for f in found], [MS * (f.high - f.estimate) for f in found]]
        axes.errorbar(
            msi, [MS * f.estimate for f in found], whiskers, color=colour, marker="o", markersize=4,
            markerfacecolor=fill, linewidth=1.0, elinewidth=0.8,
        )  # fmt: skip
    known = [cell for cell in line if cell.predicted_s is not None]
    predicted_ms = [MS * (cell.predicted_s or math.nan) for cell in known]
    axes.plot([cell.facts["msi"] for cell in known], predicted_ms, color=colour, linestyle="--", linewidth=0.9)


def draw_parts(cells: Sequence[Cell]) -> Figure:
    """Draw what share of its layer each part takes, of the arms where dense ones were measured; 100 % is the layer."""
    compared = {cell.scenario for cell in cells if not cell.is_moe}
    groups = _by_panel(_longest(cell for cell in cells if cell.scenario in compared or not compared))
    figure = _panels(groups, same_y=True)
    colours = dict(zip(dict.fromkeys(chain(*PARTS.values())), COLOURS, strict=False))
    for axes, group in zip(figure.axes, groups.values(), strict=False):
        for place, cell in enumerate(group):
            bottom = 0.0
            for part in PARTS[cell.is_moe]:
                share = 100 * cell.over((part,), LAYER).estimate
                axes.bar(place, share, bottom=bottom, color=colours[part], width=0.7)
                bottom += share
        axes.axhline(100, color=INK, linewidth=0.8)
        axes.set(ylabel="% of the layer", xticks=range(len(group)))
        axes.set_xticklabels([f"{cell.arm}, batch {cell.batch_size}" for cell in group], rotation=60, ha="right")
        axes.tick_params(axis="x", labelsize=7)
    handles = [Patch(color=colour, label=part) for part, colour in colours.items()]
    figure.legend(handles=handles, loc=LEGEND_PLACE)
    return figure


LAYER_FIGURES = {"layers_specialization": draw_specialization, "layers_parts": draw_parts}
