"""What specialization changes: which passes hold the most specialized profile against uniform routing."""

from collections.abc import Iterable

from bench.pages.grouping import grouped
from bench.pages.layers.times import LAYER, UNIFORM, LayerTimes


def profiles(layers: Iterable[LayerTimes]) -> list[str]:
    """Return the routing profiles, uniform first, then by their largest specialization index."""
    msi: dict[str, float] = {}
    for layer in layers:
        msi[layer.routing] = max(layer.facts["msi"], msi.get(layer.routing, 0.0))
    return sorted(msi, key=lambda name: (name != UNIFORM, msi[name]))


def most_specialized(layers: Iterable[LayerTimes]) -> list[LayerTimes]:
    """Return the MoE's passes under the most specialized profile of their scale, phase and length.

    Those alone that ran in the same blocks as uniform routing: two launches differ by more than routing changes.
    """
    moes = [layer for layer in layers if layer.is_moe]
    groups = grouped(moes, lambda layer: (layer.scale, layer.phase, layer.length))
    steered = [layer for group in groups for layer in group if layer.routing == profiles(group)[-1] != UNIFORM]
    return [layer for layer in steered if layer.over_uniform(LAYER)]
