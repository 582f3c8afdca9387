"""Rows of the page's table: what each pass took, what its layer is made of, and what its routing did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.gate.stats import Interval
from bench.pages.layers.times import ENDS, LAYER, PARTS, LayerTimes
from bench.pages.samples import quotient

APART = ("dispatch", "gemms", "combine")  # the experts' work, where nothing is fused
COUNTED = (LAYER, "attention", "router", "experts", ENDS)  # parts whose work is counted
BOUNDED = (LAYER, *(names[-1] for names in PARTS.values()))  # what is shown with its interval
ROUTED = (
    *("msi", "distinct_experts", "expected_distinct_experts", "load_max_over_mean"),
    *("crossing_in_order", "crossing_bins", "vision_crossing_in_order", "vision_crossing_bins"),
)  # facts of an MoE's pass


@dataclass(frozen=True, kw_only=True)
class PassRow:
    """One arm of one scenario, times of one layer; a mapping lacks what its arm lacks."""

    params: Mapping[str, object]  # the scenario's axes; its scale names the layers that were built
    arm: str
    routed: Mapping[str, float]  # what routing did
    seconds: Mapping[str, Interval | float]  # by part
    share: Mapping[str, float]  # of the layer's time, by part
    floor_share: Mapping[str, float]  # of a part's time, its least
    over: Mapping[str, Interval]  # ratios within a block


def pass_rows(layers: Sequence[LayerTimes]) -> list[PassRow]:
    """Return a row for each arm of each scenario."""
    moes = {layer.scenario: layer for layer in layers if layer.is_moe}
    return [_row(layer, moes.get(layer.scenario)) for layer in layers]


def _row(layer: LayerTimes, moe: LayerTimes | None) -> PassRow:
    floors = {part: layer.floor_share(part) for part in COUNTED if layer.is_moe}
    return PassRow(
        params={**layer.params, "scale": layer.scale},
        arm=layer.arm,
        routed=_routed(layer) if layer.is_moe else {},
        seconds={part: _seconds(layer, part) for part in layer.samples if part},
        share={part: layer.over((part,), LAYER).estimate for part in PARTS[layer.is_moe]},
        floor_share={part: share for part, share in floors.items() if share is not None},
        over=_ratios(layer, moe),
    )


def _seconds(layer: LayerTimes, part: str) -> Interval | float:
    found = layer.seconds(part)
    return found if part in BOUNDED else found.estimate


def _routed(layer: LayerTimes) -> dict[str, float]:
    facts = {name: layer.facts[name] for name in ROUTED if name in layer.facts}
    if "experts" in layer.costs:
        facts["read_bytes"] = layer.costs["experts"]["bytes"] / layer.facts["depth"]
    if layer.predicted_s is not None:
        facts["predicted_s"] = layer.predicted_s
        facts["experts_over_predicted"] = layer.seconds("experts").estimate / layer.predicted_s
    return facts


def _ratios(layer: LayerTimes, moe: LayerTimes | None) -> dict[str, Interval]:
    found = {
        "parts_over_layer": layer.over(PARTS[layer.is_moe], LAYER),
        "layers_and_ends_over_pass": layer.over((LAYER, ENDS), ""),
        "apart_over_experts": layer.over(APART, "experts") if layer.is_moe else None,
        "layer_over_uniform": layer.over_uniform(LAYER),
        "experts_over_uniform": layer.over_uniform("experts"),
        "layer_over_moe": None if layer.is_moe or not moe else quotient(layer.samples[LAYER], moe.samples[LAYER]),
    }
    return {name: ratio for name, ratio in found.items() if ratio}
