"""Sentences that say how specialization changes a layer: computed from its times, so that none outlives its numbers."""

from collections.abc import Iterable, Sequence

from bench.gate.stats import Interval
from bench.pages.grouping import grouped
from bench.pages.layers.routing import Multiple, multiples, steered
from bench.pages.layers.tables import APART, crossing_rows, that_do_not_add_up
from bench.pages.layers.times import LayerTimes


def changes(layers: Iterable[LayerTimes]) -> list[str]:
    """Say for each scale, phase and length what the most specialized profile does to a layer at each batch."""
    return [_change(multiples(group)) for group in steered(layers)]


def _change(found: Sequence[tuple[LayerTimes, Multiple | None]]) -> str:
    first, _ = found[0]
    known = {layer.batch_size: one for layer, one in found if one}
    what = f"**{first.scale}, {first.phase}**, {first.length} tokens, {first.routing}"
    if not known:
        return f"{what}: not measured beside uniform routing."
    said = ", ".join(f"{one} at batch {batch}" for batch, one in known.items())
    moved = [str(batch) for batch, one in known.items() if not one.ratio.low <= 1 <= one.ratio.high]
    change = f"the interval leaves 1 out at batch {', '.join(moved)}" if moved else "no interval leaves 1 out"
    return f"{what}: {said}; {change}."


def crossings(layers: Iterable[LayerTimes]) -> list[str]:
    """Say for each preset which share of a prompt's tokens leaves its device, experts placed by bins, by profile."""
    said: dict[str, list[str]] = {}
    for preset, routing, _, msi, _, by_bins, *_ in crossing_rows(layers):
        said.setdefault(preset, []).append(f"{by_bins} under {routing} (MSI {msi})")
    return [f"**{preset}**: {', '.join(shares)}." for preset, shares in said.items()]


def predictions(layers: Iterable[LayerTimes]) -> list[str]:
    """Say for each scale and phase how far the experts' time lies from what was predicted."""
    known = [layer for layer in layers if layer.is_moe and layer.predicted_s]
    return [
        f"**{group[0].scale}, {group[0].phase}**: the experts take {_range(_over_prediction(group))} times what is "
        f"predicted ({len(group)} passes)."
        for group in grouped(known, lambda layer: (layer.scale, layer.phase))
    ]


def _over_prediction(layers: Iterable[LayerTimes]) -> list[float]:
    return [layer.seconds("experts").estimate / layer.predicted_s for layer in layers if layer.predicted_s]


def sums(layers: Sequence[LayerTimes]) -> list[str]:
    """Say whether the parts add up to their layer and the layers to their pass; name those that do not."""
    checks: dict[str, list[Interval]] = {
        "the parts to their layer": [layer.parts_over_layer for layer in layers],
        "layers and ends to their pass": [layer.layers_over_pass for layer in layers],
    }
    return [
        f"Of {len(found)} passes (arms and scenarios), {what} sum to {_range([one.estimate for one in found])}; "
        f"1 lies within the interval in {sum(one.low <= 1 <= one.high for one in found)}."
        for what, found in checks.items()
    ] + [f"Does not add up: {said}." for said in that_do_not_add_up(layers)]


def fusing(layers: Iterable[LayerTimes]) -> list[str]:
    """Say for each phase what the experts' work takes when dispatch, products and combine are run apart."""
    moes = [layer for layer in layers if layer.is_moe]
    groups = grouped(moes, lambda layer: (layer.phase,))
    ratios = {group[0].phase: [layer.over(APART, "experts").estimate for layer in group] for group in groups}
    return [f"{phase}: {_range(found)} times as long run apart." for phase, found in ratios.items()]


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"
