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

from bench.pages.layers.times import LAYER, PARTS, LayerTimes
from bench.pages.plots.style import COLOURS, INK, STYLE, panels, save

MS = 1e3  # milliseconds in a second
COLUMNS = 2
LEGEND_PLACE: Final = "outside right center"
MARKS = {  # what a line of the first figure is -> how it is drawn
    "layer": {"marker": "o", "markerfacecolor": "none"},
    "its experts": {"marker": "o"},
    "experts, predicted": {"linestyle": "--"},
}


def draw_layers(layers: Sequence[LayerTimes], folder: Path) -> list[Path]:
    """Draw every figure of layers.

    Args:
        layers: As `bench.pages.layers.times.read_layers` returns them.
        folder: Takes the files; made if needed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        drawn = {name: draw(layers) for name, draw in LAYER_FIGURES.items()}
        return [save(figure, folder / f"{name}.svg") for name, figure in drawn.items()]


def _longest(layers: Iterable[LayerTimes]) -> list[LayerTimes]:
    """Keep the longest prompts of those at several lengths: one of each batch size, routing and arm."""
    longest: dict[tuple[object, ...], LayerTimes] = {}
    for layer in layers:  # in the order of lengths
        longest[layer.scale, layer.params["phase"], layer.batch_size, layer.params["routing"], layer.arm] = layer
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


def _by_panel(layers: Iterable[LayerTimes]) -> dict[str, list[LayerTimes]]:
    """Group layers by scale and phase."""
    groups: dict[str, list[LayerTimes]] = {}
    for layer in layers:
        groups.setdefault(f"{layer.scale}, {layer.params['phase']}", []).append(layer)
    return groups


def draw_specialization(layers: Sequence[LayerTimes]) -> Figure:
    """Draw the time of a layer and of its experts against MSI, a colour a batch size; dashed: what is predicted."""
    moes = _longest(layer for layer in layers if layer.is_moe)
    colours = dict(zip(sorted({layer.batch_size for layer in moes}), COLOURS * 2, strict=False))
    groups = _by_panel(moes)
    figure = _panels(groups, same_y=False)
    for axes, group in zip(figure.axes, groups.values(), strict=False):
        for batch_size, colour in colours.items():
            _draw_line(axes, [layer for layer in group if layer.batch_size == batch_size], colour)
        axes.set(xlabel="MSI of the prompt", ylabel="ms a layer", xlim=(0, 1.03), ylim=(0, None))
    marks = [Line2D([], [], color=INK, label=name, **mark) for name, mark in MARKS.items()]  # type: ignore[arg-type]
    batches = [Patch(color=colour, label=f"batch {batch_size}") for batch_size, colour in colours.items()]
    figure.legend(handles=[*marks, *batches], loc=LEGEND_PLACE)
    return figure


def _draw_line(axes: Axes, layers: Sequence[LayerTimes], colour: str) -> None:
    """Draw one batch size: layer, experts and prediction."""
    line = sorted(layers, key=lambda layer: layer.facts["msi"])
    msi = [layer.facts["msi"] for layer in line]
    for part, fill in ((LAYER, "none"), ("experts", colour)):
        found = [layer.seconds(part) for layer in line]
        whiskers = [[MS * (f.estimate - f.low) for f in found], [MS * (f.high - f.estimate) for f in found]]
        axes.errorbar(
            msi, [MS * f.estimate for f in found], whiskers, color=colour, marker="o", markersize=4,
            markerfacecolor=fill, linewidth=1.0, elinewidth=0.8,
        )  # fmt: skip
    known = [layer for layer in line if layer.predicted_s is not None]
    predicted_ms = [MS * (layer.predicted_s or math.nan) for layer in known]
    axes.plot([layer.facts["msi"] for layer in known], predicted_ms, color=colour, linestyle="--", linewidth=0.9)


def draw_parts(layers: Sequence[LayerTimes]) -> Figure:
    """Draw what share of its layer each part takes, of the arms where dense ones were measured; 100 % is the layer."""
    compared = {layer.scenario for layer in layers if not layer.is_moe}
    groups = _by_panel(_longest(layer for layer in layers if layer.scenario in compared or not compared))
    figure = _panels(groups, same_y=True)
    colours = dict(zip(dict.fromkeys(chain(*PARTS.values())), COLOURS, strict=False))
    for axes, group in zip(figure.axes, groups.values(), strict=False):
        for place, layer in enumerate(group):
            bottom = 0.0
            for part in PARTS[layer.is_moe]:
                share = 100 * layer.over((part,), LAYER).estimate
                axes.bar(place, share, bottom=bottom, color=colours[part], width=0.7)
                bottom += share
        axes.axhline(100, color=INK, linewidth=0.8)
        axes.set(ylabel="% of the layer", xticks=range(len(group)))
        axes.set_xticklabels([f"{layer.arm}, batch {layer.batch_size}" for layer in group], rotation=60, ha="right")
        axes.tick_params(axis="x", labelsize=7)
    handles = [Patch(color=colour, label=part) for part, colour in colours.items()]
    figure.legend(handles=handles, loc=LEGEND_PLACE)
    return figure


LAYER_FIGURES = {"layers_specialization": draw_specialization, "layers_parts": draw_parts}
