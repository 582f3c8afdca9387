"""Tables of decoder layers: parts, their floors, dense arms, experts run apart, what would cross devices."""

from collections.abc import Iterable, Sequence

from bench.gate.stats import Interval, median_interval
from bench.harness.metrics import DISPLAYS
from bench.pages.layers.routing import seconds, times
from bench.pages.layers.times import ENDS, LAYER, PARTS, UNIFORM, LayerTimes

APART = ("dispatch", "gemms", "combine")  # the experts' work, where nothing is fused
ADDS_UP_WITHIN = 0.1  # parts that miss their whole by more, beyond doubt, are pointed out

PART_HEADERS = (
    *("scale", "phase", "batch", "length", "routing", "MSI", "experts hit (expected)", "load, max/mean", "read"),
    *("layer [95 %]", "attention", "norms", "router", "experts [95 %]", "predicted"),
    *("parts / layer [95 %]", "layers + ends / pass [95 %]"),
)
ARM_HEADERS = (
    *("scale", "phase", "batch", "length", "arm", "layer [95 %]", "arm / MoE [95 %]", "attention", "feed-forward"),
    "parts / layer [95 %]",
)
APART_HEADERS = (*("scale", "phase", "batch", "length", "routing", "experts", *APART, "apart / experts [95 %]"),)
FLOOR_PARTS = (LAYER, "attention", "router", "experts", ENDS)  # whose work is counted
FLOOR_HEADERS = (*("scale", "phase", "batch", "length", "routing"), *FLOOR_PARTS)
CROSSING_HEADERS = (
    *("scale", "routing", "tokens", "MSI", "leave, experts in order", "by bins"),
    *("vision leaves, in order", "by bins", "rows sent by bins, against uniform routing in order"),
)


def part_rows(layers: Iterable[LayerTimes]) -> list[tuple[str, ...]]:
    """Return a row for each pass of an MoE, in the order of PART_HEADERS."""
    return [_part_row(layer) for layer in layers if layer.is_moe]


def _part_row(layer: LayerTimes) -> tuple[str, ...]:
    facts, expected = layer.facts, layer.facts.get("expected_distinct_experts")
    attention, norms, router = (_time(layer.seconds(part).estimate) for part in PARTS[True][:3])
    return (
        *layer.place,
        layer.routing,
        f"{facts['msi']:.2f}",
        f"{facts['distinct_experts']:.1f}" + (f" ({expected:.1f})" if expected is not None else ""),
        f"{facts['load_max_over_mean']:.2f}",
        DISPLAYS["byte"](layer.read_bytes),
        seconds(layer.seconds(LAYER)),
        *(attention, norms, router),
        seconds(layer.seconds("experts")),
        "" if layer.predicted_s is None else _time(layer.predicted_s),
        _ratio(layer.parts_over_layer),
        _ratio(layer.layers_over_pass),
    )


def arm_rows(layers: Sequence[LayerTimes]) -> list[tuple[str, ...]]:
    """Return a row for each arm of the scenarios that have dense ones, in the order of ARM_HEADERS."""
    moes = {layer.scenario: layer for layer in layers if layer.is_moe}
    compared = {layer.scenario for layer in layers if not layer.is_moe}
    return [_arm_row(layer, moes[layer.scenario]) for layer in layers if layer.scenario in compared]


def _arm_row(layer: LayerTimes, moe: LayerTimes) -> tuple[str, ...]:
    ratios = [a / b for a, b in zip(layer.samples[LAYER], moe.samples[LAYER], strict=True)]
    return (
        *(layer.place if layer.is_moe else ("",) * 4),
        layer.arm,
        seconds(layer.seconds(LAYER)),
        "" if layer.is_moe else times(median_interval(ratios)),
        _time(layer.seconds("attention").estimate),
        _time(layer.seconds("experts" if layer.is_moe else "ffn").estimate),
        _ratio(layer.parts_over_layer),
    )


def floor_rows(layers: Iterable[LayerTimes]) -> list[tuple[str, ...]]:
    """Return a row for each pass of an MoE: the share that its floor has of each part's time, as FLOOR_HEADERS."""
    return [
        (*layer.place, layer.routing, *map(_share, map(layer.floor_share, FLOOR_PARTS)))
        for layer in layers
        if layer.is_moe
    ]


def _share(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def apart_rows(layers: Iterable[LayerTimes]) -> list[tuple[str, ...]]:
    """Return a row for each pass of an MoE whose experts' work was run apart too, in the order of APART_HEADERS."""
    return [
        (
            *layer.place,
            layer.routing,
            *(_time(layer.seconds(part).estimate) for part in ("experts", *APART)),
            _ratio(layer.over(APART, "experts")),
        )
        for layer in layers
        if layer.is_moe
    ]


def crossing_rows(layers: Iterable[LayerTimes]) -> list[tuple[str, ...]]:
    """Return a row for each scale and routing, of its largest prompt, in the order of CROSSING_HEADERS."""
    largest: dict[tuple[str, str], tuple[int, LayerTimes]] = {}
    for layer in filter(_has_tokens, layers):
        key = (layer.preset, layer.routing)
        num_tokens = layer.batch_size * int(layer.length)
        if key not in largest or num_tokens > largest[key][0]:
            largest[key] = (num_tokens, layer)
    usual = {preset: layer for (preset, routing), (_, layer) in largest.items() if routing == UNIFORM}
    return [_crossing_row(*key, *found, usual.get(key[0])) for key, found in largest.items()]


def _has_tokens(layer: LayerTimes) -> bool:
    return layer.is_moe and layer.length.isdigit()


def _crossing_row(
    preset: str, routing: str, num_tokens: int, layer: LayerTimes, usual: LayerTimes | None
) -> tuple[str, ...]:
    shares = (layer.facts[f"{whose}crossing_{how}"] for whose in ("", "vision_") for how in ("in_order", "bins"))
    change = layer.facts["crossing_bins"] / usual.facts["crossing_in_order"] - 1 if usual else None
    return (
        *(preset, routing, f"{num_tokens:,}", f"{layer.facts['msi']:.2f}"),
        *(f"{100 * share:.1f} %" for share in shares),
        "" if change is None else f"{100 * change:+.1f} %",
    )


def that_do_not_add_up(layers: Iterable[LayerTimes]) -> list[str]:
    """Say of which passes the parts miss their whole by more than ADDS_UP_WITHIN, whole interval and all."""
    checks = {"parts / layer": "parts_over_layer", "layers + ends / pass": "layers_over_pass"}
    return [
        f"{layer.scenario} {layer.arm}: {name} must be within {100 * ADDS_UP_WITHIN:.0f} % of 1, got {_ratio(found)}"
        for layer in layers
        for name, found in ((name, getattr(layer, check)) for name, check in checks.items())
        if found.low > 1 + ADDS_UP_WITHIN or found.high < 1 - ADDS_UP_WITHIN
    ]


_time = DISPLAYS["s"]


def _ratio(interval: Interval) -> str:
    return "{:.2f} [{:.2f}, {:.2f}]".format(*interval)
