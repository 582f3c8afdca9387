"""Figures of decoder layers: time against the experts' specialization, and the parts that a layer is made of."""

import functools
import math
from collections.abc import Iterable, Sequence
from itertools import chain

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.pages.drawing import COLOURS, INK, Drawing, beside, named, panels, whisker, whiskers
from bench.pages.grouping import grouped
from bench.pages.layers.times import LAYER, PARTS, LayerTimes

MS = 1e3  # milliseconds in a second
BAR_HEIGHT = 1.15  # of a panel of bars, whose names stand one below another


def layer_figures(layers: Sequence[LayerTimes]) -> dict[str, Drawing]:
    """Return the figures of layers, as `read_layers` returns them; none without any."""
    drawn = {"msi": draw_msi, "parts": draw_parts}
    return {name: Drawing(functools.partial(draw, layers)) for name, draw in drawn.items() if layers}


def draw_msi(layers: Sequence[LayerTimes]) -> Figure:
    """Draw the time of a layer and of its experts against MSI, a colour a batch size; dashed: what is predicted."""
    moes = _longest(layer for layer in layers if layer.is_moe)
    colours = dict(zip(sorted({layer.batch_size for layer in moes}), COLOURS * 2, strict=False))
    figure, drawn = _panels(moes)
    for axes, group in drawn:
        for batch_size, colour in colours.items():
            _draw_line(axes, [layer for layer in group if layer.batch_size == batch_size], colour)
        axes.set(xlabel="MSI of the prompt", ylabel="ms a layer", xlim=(0, 1.03), ylim=(0, None))
    marks = [
        Line2D([], [], color=INK, marker="o", markerfacecolor="none", label="layer"),
        Line2D([], [], color=INK, marker="o", label="its experts"),
        Line2D([], [], color=INK, linestyle="--", label="experts, predicted"),
        whisker(),
    ]
    beside(figure, [*marks, *(Patch(color=colour, label=f"batch {size}") for size, colour in colours.items())])
    return figure


def _longest(layers: Iterable[LayerTimes]) -> list[LayerTimes]:
    """Keep the longest prompts of those at several lengths: they come in the order of lengths."""
    cells = grouped(layers, lambda layer: (layer.scale, layer.phase, layer.batch_size, layer.routing, layer.arm))
    return [cell[-1] for cell in cells]


def _panels(layers: Iterable[LayerTimes], height: float = 1.0) -> tuple[Figure, list[tuple[Axes, list[LayerTimes]]]]:
    """Make a titled panel for each scale and phase, so many times as high as usual."""
    groups = grouped(layers, lambda layer: (layer.scale, layer.phase))
    figure = panels(len(groups), width=1.15, height=height)
    for axes, group in zip(figure.axes, groups, strict=True):
        axes.set_title(named(f"{group[0].scale}, {group[0].phase}"))
    return figure, list(zip(figure.axes, groups, strict=True))


def _draw_line(axes: Axes, layers: Iterable[LayerTimes], colour: str) -> None:
    """Draw one batch size: layer, experts and prediction."""
    line = sorted(layers, key=lambda layer: layer.facts["msi"])
    msi = [layer.facts["msi"] for layer in line]
    for part, fill in ((LAYER, "none"), ("experts", colour)):
        found = [layer.seconds(part) for layer in line]
        axes.errorbar(
            msi, [MS * one.estimate for one in found], whiskers(found, MS), color=colour, marker="o", markersize=4,
            markerfacecolor=fill, linewidth=1.0, elinewidth=0.8,
        )  # fmt: skip
    axes.plot(msi, [MS * (layer.predicted_s or math.nan) for layer in line], color=colour, linestyle="--", lw=0.9)


def draw_parts(layers: Sequence[LayerTimes]) -> Figure:
    """Draw what share of its layer each part takes, of the arms where dense ones were measured; 100 % is the layer."""
    compared = {layer.scenario for layer in layers if not layer.is_moe}
    shown = _longest(layer for layer in layers if layer.scenario in compared or not compared)
    figure, drawn = _panels(shown, height=BAR_HEIGHT)
    colours = dict(zip(dict.fromkeys(chain(*PARTS.values())), COLOURS, strict=False))
    for axes, group in drawn:
        for place, layer in enumerate(group):
            left = 0.0
            for part in PARTS[layer.is_moe]:
                share = 100 * layer.over((part,), LAYER).estimate
                axes.barh(place, share, left=left, color=colours[part], height=0.7)
                left += share
        axes.axvline(100, color=INK, linewidth=0.8)
        axes.set(xlabel="% of the layer", ylim=(len(group) - 0.5, -0.5))
        axes.set_yticks(range(len(group)), [named(f"{layer.arm}, batch {layer.batch_size}") for layer in group])
    beside(figure, [Patch(color=colour, label=part) for part, colour in colours.items()])
    return figure
