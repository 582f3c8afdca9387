"""Records as gains: how much faster the MoE is than one other model in one scenario of the whole model.

A scenario that was measured with all layers gives its gain as it is, also where all used the large weights of a few
in turn; one measured with a few layers of true width, at three depths or more, gives it by the line through them. Of
several, the whole model counts, then the most distinct layers.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.gate.stats import Interval
from bench.harness.arms import ANCHOR, PRIMARY, is_peer
from bench.harness.environment import describe
from bench.harness.record import Record, Scenario
from bench.harness.recycled import DISTINCT_LAYERS, flaw
from bench.pages.extrapolate import whole_id
from bench.pages.grouping import grouped
from bench.pages.slices import DEPTHS_NEEDED, WORST_CHECK_ERROR, Slices, speedup

PHASES = {"bench_decode": "decode", "bench_prefill": "prefill", "bench_generate": "whole answers"}
# Of many tokens in float32 a CPU's dense model runs on torch's products, which llama.cpp's beat: docs/performance.md.
OVERSTATED = {("cpu", "float32", "prefill"), ("cpu", "float32", "whole answers")}
MOE, RIVAL = "moe", "rival"  # the two sides of a gain

Seen = tuple[Scenario, Record]  # a scenario, and the run that measured it


class Built(NamedTuple):
    """What a scenario had of the model."""

    depth: int  # layers; 0 for all
    distinct_layers: int  # whose large weights all used in turn; 0 where each had its own


@dataclass(frozen=True, kw_only=True)
class Gain:
    """How much faster the MoE is than one other arm, and what says so."""

    scenario: str  # its id, without what was built
    machine: str
    scale: str  # of the whole model
    phase: str  # of PHASES
    workload: str
    routing: str
    length: str  # of the prompt in tokens, or "natural"
    batch_size: int
    against: str
    seconds: Mapping[str, float]  # by side: of a step, of a prefill, of an answer
    throughput: Mapping[str, float]  # by side: the first that the record names
    speedup: Interval  # the other arm's time over the MoE's
    predicted: float | None  # the same of the floors
    floor_share: Mapping[str, float]  # by side: floor over time
    distinct_experts: float | None  # a layer and step
    depths: tuple[int, ...]  # measured; empty for the whole model
    distinct_layers: int  # of all layers, whose large weights were used in turn; 0 where each had its own
    check_error: float  # of the lines at the depths between; 0 for the whole model
    is_overstated: bool  # a faster dense model is known: see OVERSTATED


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A scenario that gives no gain, and why."""

    scenario: str
    against: str
    why: str


class Found(NamedTuple):
    """What records give."""

    gains: list[Gain]
    dropped: list[Dropped]


def gains_of(records: Iterable[Record]) -> Found:
    """Return the gains of all records; peers, counted scenarios and what is of no phase have none.

    Args:
        records: of one machine or several; depths of a scenario may lie in different records of one kind of machine,
            and of the same scenario in several records the last one counts.
    """
    machines = grouped(records, lambda record: str(sorted(record.kind.items())))
    families = [family for of_kind in machines for family in _families(of_kind).items()]
    found = [_gain(name, against, built) for (name, against), built in families]
    gains = [one for one in found if isinstance(one, Gain)]
    return Found(gains, [one for one in found if isinstance(one, Dropped)])


def _families(records: Iterable[Record]) -> dict[tuple[str, str], dict[Built, Seen]]:
    """Group the scenarios of one machine by the whole model's id and rival."""
    families: dict[tuple[str, str], dict[Built, Seen]] = {}
    for scenario, run in ((one, record) for record in records for one in record.scenarios.values()):
        if _benchmark(scenario.id) in PHASES and ANCHOR in scenario.arms:
            for arm in scenario.arms:
                if arm not in (PRIMARY, ANCHOR) and not is_peer(arm):
                    family = families.setdefault((whole_id(scenario.id), arm), {})
                    family[_built(scenario)] = scenario, run
    return families


def _benchmark(scenario_id: str) -> str:
    return scenario_id.partition("[")[0]


def _built(scenario: Scenario) -> Built:
    facts = scenario.arms[PRIMARY].facts
    depth = int(facts.get("depth", 0))
    is_whole = depth == facts.get(f"full_depth_{PRIMARY}")
    return Built(0 if is_whole else depth, int(facts.get(DISTINCT_LAYERS, 0)))


def _chosen(built: Iterable[Built]) -> list[Built]:
    """Choose what tells most of the whole model; a slice of recycled layers tells nothing of it."""
    known = list(built)
    whole = [one for one in known if not one.depth]
    if whole:
        return [max(whole, key=lambda one: one.distinct_layers or math.inf)]
    return sorted(one for one in known if not one.distinct_layers)


def _gain(name: str, against: str, built: Mapping[Built, Seen]) -> Gain | Dropped:
    """Join the depths of one scenario; say why not where they are too few, on no line, or recycled within a cache."""
    flaws = {one: flaw(scenario.arms[PRIMARY].facts) for one, (scenario, _) in built.items()}
    chosen = _chosen(one for one, why in flaws.items() if not why)
    if not chosen:
        return Dropped(scenario=name, against=against, why=next(iter(flaws.values())) or "measured as a recycled slice")
    depths = tuple(one.depth for one in chosen if one.depth)
    seen = [built[one] for one in chosen]
    if depths and len(depths) < DEPTHS_NEEDED:
        why = f"measured at {', '.join(map(str, depths))} layers; a line needs {DEPTHS_NEEDED}"
        return Dropped(scenario=name, against=against, why=why)
    sides = {side: _slices(depths, seen, arm) for side, arm in ((MOE, PRIMARY), (RIVAL, against))}
    errors = [slices.value()[1] for slices in sides.values()]
    if max(errors) > WORST_CHECK_ERROR or min(slices.value()[0] for slices in sides.values()) <= 0:
        why = f"its depths lie on no line (error {100 * max(errors):.0f} %); measure again"
        return Dropped(scenario=name, against=against, why=why)
    return _joined(name, against, seen, sides, chosen[0].distinct_layers)


def _slices(depths: tuple[int, ...], seen: Sequence[Seen], arm: str) -> Slices:
    full_depth = seen[0][0].arms[PRIMARY].facts.get(f"full_depth_{arm}", 0)
    return Slices(depths, [scenario.arms[arm] for scenario, _ in seen], int(full_depth))


def _joined(name: str, against: str, seen: Sequence[Seen], sides: Mapping[str, Slices], distinct_layers: int) -> Gain:
    moe, phase = seen[0][0].arms[PRIMARY], PHASES[_benchmark(name)]
    kind, peaks = seen[-1][1].kind, seen[-1][1].peaks  # of the deepest, where depths were measured apart
    seconds = {side: slices.value()[0] for side, slices in sides.items()}
    floors = {side: floor for side, slices in sides.items() if (floor := slices.floor_s(peaks))}
    quantity = next(iter(moe.rates.values()))
    return Gain(
        scenario=name,
        machine=describe(kind),
        scale=whole_id(moe.axis("scale")),
        phase=phase,
        workload=str(moe.params.get("workload", "")),
        routing=str(moe.params.get("routing", "")),
        length=str(moe.params.get("seq_len", "")),
        batch_size=moe.size("batch_size"),
        against=against,
        seconds=seconds,
        throughput={side: quantity / value for side, value in seconds.items()},
        speedup=speedup(sides[RIVAL], sides[MOE]),
        predicted=floors[RIVAL] / floors[MOE] if len(floors) == len(sides) else None,
        floor_share={side: floor / seconds[side] for side, floor in floors.items()},
        distinct_experts=moe.facts.get("distinct_experts"),
        depths=sides[MOE].depths,
        distinct_layers=distinct_layers,
        check_error=max(slices.value()[1] for slices in sides.values()),
        is_overstated=(kind["device"], kind["dtype"], phase) in OVERSTATED,
    )
