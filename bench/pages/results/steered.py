"""What routing changes in the speed-up over the dense twin: tables of routings beside uniform, batch by batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.harness.arms import TWIN
from bench.pages.engine import ratio
from bench.pages.grouping import grouped
from bench.pages.results.cells import UNIFORM
from bench.pages.results.gains import Gain
from bench.pages.results.machines import machine_names


@dataclass(frozen=True, kw_only=True)
class Steered:
    """One phase of a scale at one length, on one machine."""

    scale: str
    phase: str
    machine: str  # what tells it apart from others that measured the scale
    length: str
    batches: Sequence[int]
    rows: Mapping[str, Sequence[str]]  # by routing, uniform first: a cell a batch


def is_steered(gain: Gain, gains: Sequence[Gain]) -> bool:
    """Tell whether the scale's phase was measured there under uniform routing too, and this is another."""
    place = (gain.scale, gain.phase, gain.machine)
    return gain.routing != UNIFORM and any(
        one.routing == UNIFORM and (one.scale, one.phase, one.machine) == place for one in gains
    )


def steered(gains: Sequence[Gain]) -> list[Steered]:
    """Return a table for each phase and length that some routing steers, of the batches that it was steered at."""
    twins = sorted((gain for gain in gains if gain.against == TWIN), key=lambda gain: (len(gain.scale), gain.scale))
    groups = grouped(twins, lambda gain: (gain.scale, gain.phase, gain.machine, gain.workload, gain.length))
    machines = machine_names(gains)
    return [
        _table(group, machines[group[0].scale, group[0].machine])
        for group in groups
        if any(is_steered(gain, group) for gain in group)
    ]


def _table(gains: Sequence[Gain], machine: str) -> Steered:
    shown = {(gain.routing, gain.batch_size): _cell(gain) for gain in gains}
    routings = sorted({gain.routing for gain in gains}, key=lambda routing: (routing != UNIFORM, routing))
    batches = sorted({gain.batch_size for gain in gains if gain.routing != UNIFORM})
    return Steered(
        scale=gains[0].scale,
        phase=gains[0].phase,
        machine=machine,
        length=gains[0].length,
        batches=batches,
        rows={routing: [shown.get((routing, batch), "") for batch in batches] for routing in routings},
    )


def _cell(gain: Gain) -> str:
    hit = gain.distinct_experts
    return ratio(gain.speedup) + (f", {hit:.1f}" if hit is not None else "")
