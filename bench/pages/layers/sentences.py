"""Sentences that say how specialization changes a layer: computed from its times, so that none outlives its numbers."""

from collections.abc import Iterable, Sequence

from bench.pages.grouping import grouped
from bench.pages.layers.routing import Steered, most_specialized
from bench.pages.layers.times import LayerTimes


def changes(layers: Iterable[LayerTimes]) -> list[str]:
    """Say for each scale, phase and length what the most specialized profile does to a layer at each batch."""
    groups = grouped(most_specialized(layers), lambda one: (one.layer.scale, one.layer.phase, one.layer.length))
    return [_change(group) for group in groups]


def _change(found: Sequence[Steered]) -> str:
    first = found[0].layer
    known = {layer.batch_size: one for layer, one in found if one}
    what = f"**{first.scale}, {first.phase}**, {first.length} tokens, {first.routing}"
    if not known:
        return f"{what}: not measured beside uniform routing."
    said = ", ".join(f"{one} at batch {batch}" for batch, one in known.items())
    moved = [str(batch) for batch, one in known.items() if not one.ratio.low <= 1 <= one.ratio.high]
    change = f"the interval leaves 1 out at batch {', '.join(moved)}" if moved else "no interval leaves 1 out"
    return f"{what}: {said}; {change}."
