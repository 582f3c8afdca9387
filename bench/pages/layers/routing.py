"""What specialization changes: a part's time over its own under uniform routing, of the most specialized profiles."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.gate.stats import Interval
from bench.pages.grouping import grouped
from bench.pages.layers.times import LAYER, UNIFORM, LayerTimes


class Multiple(NamedTuple):
    """A part's time over its own under uniform routing."""

    ratio: Interval
    is_paired: bool  # both ran in the same blocks

    def __str__(self) -> str:
        return f"{'' if self.is_paired else '~'}{self.ratio.text('.2f', 'x')}"


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


def profiles(layers: Iterable[LayerTimes]) -> list[str]:
    """Return the routing profiles, uniform first, then by their largest specialization index."""
    msi: dict[str, float] = {}
    for layer in layers:
        msi[layer.routing] = max(layer.facts["msi"], msi.get(layer.routing, 0.0))
    return sorted(msi, key=lambda name: (name != UNIFORM, msi[name]))


class Steered(NamedTuple):
    """A pass of a steered MoE, and its layer's time over uniform routing's: None where that was not measured."""

    layer: LayerTimes
    multiple: Multiple | None


def most_specialized(layers: Iterable[LayerTimes]) -> list[Steered]:
    """Return the MoE's passes under the most specialized profile of their scale, phase and length."""
    moes = [layer for layer in layers if layer.is_moe]
    groups = grouped(moes, lambda layer: (layer.scale, layer.phase, layer.length))
    return [steered for group in groups for steered in _steered(group)]


def _steered(layers: Sequence[LayerTimes]) -> list[Steered]:
    most = profiles(layers)[-1]
    uniform = {layer.batch_size: layer for layer in layers if layer.routing == UNIFORM}
    steered = [layer for layer in layers if layer.routing == most != UNIFORM]
    return [Steered(layer, multiple(layer, uniform.get(layer.batch_size), LAYER)) for layer in steered]
