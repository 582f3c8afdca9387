"""What specialization changes: a layer's time and its experts' over their own under uniform routing, by profile."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.gate.stats import Interval
from bench.harness.metrics import DISPLAYS
from bench.pages.grouping import grouped
from bench.pages.layers.times import LAYER, UNIFORM, LayerTimes

PLACE_HEADERS = ("scale", "phase", "batch", "length", "of a layer")
ROWS = {"all of it": LAYER, "its experts": "experts"}  # what a row is of -> the part


class RoutingTable(NamedTuple):
    """A table whose columns are the profiles that were measured."""

    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]


def routing_table(layers: Iterable[LayerTimes]) -> RoutingTable:
    """Lay the MoE's layers out, the profiles side by side in the order of their specialization.

    Uniform routing shows its time, a steered profile that time's multiple, or its own time where there is none.

    Args:
        layers: As `read_layers` returns them.
    """
    moes = [layer for layer in layers if layer.is_moe]
    routings = profiles(moes)
    places = {layer.place: {one.routing: one for one in moes if one.place == layer.place} for layer in moes}
    rows = []
    for place, found in places.items():
        chosen = [found.get(name) for name in routings]
        for row, (what, part) in enumerate(ROWS.items()):
            shown = [_shown(layer, found.get(UNIFORM), part) for layer in chosen]
            rows.append((*(place if row == 0 else ("",) * len(place)), what, *shown))
        hit = [f"{layer.facts['distinct_experts']:.1f}" if layer else "" for layer in chosen]
        rows.append((*("",) * len(place), "experts hit", *hit))
    return RoutingTable((*PLACE_HEADERS, *routings), rows)


def profiles(layers: Sequence[LayerTimes]) -> list[str]:
    """Return the routing profiles, uniform first, then by their largest specialization index."""
    msi: dict[str, float] = {}
    for layer in layers:
        msi[layer.routing] = max(layer.facts["msi"], msi.get(layer.routing, 0.0))
    return sorted(msi, key=lambda name: (name != UNIFORM, msi[name]))


class Multiple(NamedTuple):
    """A part's time over its own under uniform routing."""

    ratio: Interval
    is_paired: bool  # both ran in the same blocks

    def __str__(self) -> str:
        return times(self.ratio) if self.is_paired else f"~{times(self.ratio)}"


def multiple(layer: LayerTimes, uniform: LayerTimes | None, part: str) -> Multiple | None:
    """Hold a part's time against uniform routing: in the same blocks, else of another scenario, else not at all.

    Args:
        layer: Of a steered MoE.
        uniform: The same under uniform routing, measured for itself.
        part: A part that routing touches.
    """
    if ratio := layer.over_uniform(part):
        return Multiple(ratio, is_paired=True)
    if uniform is None:
        return None
    own, other = layer.seconds(part), uniform.seconds(part)
    ends = (own.low / other.high, own.high / other.low)
    return Multiple(Interval(own.estimate / other.estimate, *ends), is_paired=False)


def most_specialized(layers: Iterable[LayerTimes]) -> list[tuple[LayerTimes, Multiple | None]]:
    """Return the MoE's passes under the most specialized profile of their scale, phase and length.

    Returns:
        Each with its layer's time over uniform routing's; None where that was not measured.
    """
    return [pair for group in steered(layers) for pair in multiples(group)]


def steered(layers: Iterable[LayerTimes]) -> list[list[LayerTimes]]:
    """Return the MoE's passes of each scale, phase and length that has a steered one."""
    groups = grouped(
        [layer for layer in layers if layer.is_moe], lambda layer: (layer.scale, layer.phase, layer.length)
    )
    return [group for group in groups if any(layer.routing != UNIFORM for layer in group)]


def multiples(layers: Sequence[LayerTimes]) -> list[tuple[LayerTimes, Multiple | None]]:
    """Hold the most specialized profile of some passes against uniform routing, batch by batch."""
    most = profiles(layers)[-1]
    uniform = {layer.batch_size: layer for layer in layers if layer.routing == UNIFORM}
    steered = {layer.batch_size: layer for layer in layers if layer.routing == most}
    return [(layer, multiple(layer, uniform.get(batch), LAYER)) for batch, layer in steered.items()]


def _shown(layer: LayerTimes | None, uniform: LayerTimes | None, part: str) -> str:
    if layer is None:
        return ""
    found = multiple(layer, uniform, part) if layer is not uniform else None
    return str(found) if found else seconds(layer.seconds(part))


def times(ratio: Interval) -> str:
    """Show a multiple with its interval."""
    return "{:.2f}x [{:.2f}, {:.2f}]".format(*ratio)


def seconds(interval: Interval) -> str:
    """Show seconds with their interval."""
    estimate, low, high = map(DISPLAYS["s"], interval)
    return f"{estimate} [{low}, {high}]"
