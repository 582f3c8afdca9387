"""How many times the MoE's time another arm takes, by batch: measured, extrapolated from slices, and by the floors."""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from bench.gate.shares import is_share
from bench.harness.arms import PRIMARY
from bench.harness.record import Record, Scenario
from bench.pages.results.gains import Dropped, Gain, gains_of
from bench.report.scenarios import ARM, PEER_ARM, ScenarioData, benchmark_of
from bench.report.values import Limits, limits, rounded

BATCH, LENGTH = "batch_size", "seq_len"
AXES = ("scale", "workload", "routing", LENGTH)  # that tell panels apart


class SpeedUp(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One other arm beside the MoE at one batch; above 1 the MoE is faster."""

    source: int  # -1: of several records of one machine
    machine: str
    benchmark: str
    axes: dict[str, str]
    batch: int
    against: str
    ratio: Limits
    floors: float | None = None  # the same of the least times
    depths: tuple[int, ...] = ()  # measured; the whole model is extrapolated from them
    is_peer: bool = False


def measured(scenarios: Iterable[ScenarioData], machines: Sequence[str]) -> list[SpeedUp]:
    """Return the ratios of timed scenarios that have a batch and all their layers.

    Args:
        scenarios: of all sources.
        machines: of each source.
    """
    return [
        SpeedUp(
            source=one.source,
            machine=machines[one.source],
            benchmark=one.benchmark,
            axes=_axes(one.axes),
            batch=int(one.axes[BATCH]),
            against=arm.arm,
            ratio=arm.ratio,
            floors=arm.floors,
            is_peer=arm.kind == PEER_ARM,
        )
        for one in scenarios
        if one.axes.get(BATCH, "").isdecimal() and not one.depth and not one.is_counted and not is_share(one.metric)
        for arm in one.arms
        if arm.kind in (ARM, PEER_ARM) and arm.ratio
    ]


def largest_first(found: Iterable[SpeedUp]) -> list[SpeedUp]:
    """Order by the parameters that a scale's name tells, those of none last: a page begins with what is asked most."""
    return sorted(found, key=lambda one: -billions(one.axes.get("scale", "")))


def billions(scale: str) -> float:
    """Return how many billions of parameters a scale is named for; 0 where it is named otherwise.

    >>> [billions(scale) for scale in ("34b", "7b@2", "proxy")]
    [34.0, 7.0, 0.0]
    """
    found = re.match(r"(\d+(?:\.\d+)?)b", scale)
    return float(found[1]) if found else 0.0


def _axes(axes: dict[str, str]) -> dict[str, str]:
    """Return what tells panels apart: those of AXES, then all others but the batch."""
    names = [*(name for name in AXES if name in axes), *(name for name in axes if name not in (*AXES, BATCH))]
    return {name: axes[name] for name in names}


def extrapolated(records: Iterable[Record]) -> tuple[list[SpeedUp], list[Dropped]]:
    """Return the whole models that slices give, and those that give none, with the reason."""
    found = gains_of([record for record in records if any(map(_is_sliced, record.scenarios.values()))])
    return [_speedup(gain) for gain in found.gains if gain.depths], list(found.dropped)


def _is_sliced(scenario: Scenario) -> bool:
    facts = scenario.arms[PRIMARY].facts
    return facts.get("depth") != facts.get(f"full_depth_{PRIMARY}")


def _speedup(gain: Gain) -> SpeedUp:
    named = zip(AXES, (gain.scale, gain.workload, gain.routing, gain.length), strict=True)
    ratio = limits(gain.speedup)
    assert ratio is not None  # a line that gives no number is dropped
    return SpeedUp(
        source=-1,
        machine=gain.machine,
        benchmark=benchmark_of(gain.scenario),
        axes={name: value for name, value in named if value},
        batch=gain.batch_size,
        against=gain.against,
        ratio=ratio,
        floors=rounded(gain.predicted),
        depths=gain.depths,
    )
