"""Decoder layers as bars: seconds of one layer and of the parts that make it up, by arm and routing."""

from msgspec import Struct

from bench.harness.record import Record
from bench.pages.layers.times import LAYER, PARTS, LayerTimes, holds_layers, read_layers
from bench.report.values import Limits, limits, rounded


class PartData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One part of a layer."""

    part: str
    seconds: float  # median over blocks
    floor: float | None = None  # least time over time


class LayerData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One layer of one arm."""

    source: int
    scenario: str
    arm: str
    scale: str
    phase: str
    batch: int
    length: str
    routing: str
    layer: Limits  # seconds, measured whole: its parts were measured apart, and need not add up to it
    parts: list[PartData]


def layers_of(record: Record, source: int) -> list[LayerData]:
    """Return the layers of a record, none where it has none.

    Raises:
        ValueError: a scenario of layers lacks an axis.
        KeyError: it lacks a part or a fact.
    """
    return [_layer(one, source) for one in read_layers([record])] if holds_layers(record) else []


def _layer(one: LayerTimes, source: int) -> LayerData:
    whole = limits(one.seconds(LAYER))
    assert whole is not None  # times are finite
    return LayerData(
        source=source,
        scenario=one.scenario,
        arm=one.arm,
        scale=one.scale,
        phase=one.phase,
        batch=one.batch_size,
        length=one.length,
        routing=one.routing,
        layer=whole,
        parts=[
            PartData(
                part=part, seconds=float(f"{one.seconds(part).estimate:.6g}"), floor=rounded(one.floor_share(part))
            )
            for part in PARTS[one.is_moe]
        ],
    )
