"""Records as gains: how much faster the MoE is than one other model in one scenario of the whole model.

A scenario that was measured with all layers gives its gain as it is, also where all used the large weights of a few
in turn; one measured with a few layers of true width, at three depths or more, gives it by the line through them. Of
several, the whole model counts, then the most distinct layers. Launches of several records count together.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from bench.gate.launch_intervals import covered, typical_spread
from bench.gate.stats import Interval
from bench.harness.arms import PRIMARY
from bench.harness.environment import describe
from bench.harness.record import ArmSeries, Record
from bench.pages.extrapolate import whole_id
from bench.pages.grouping import grouped
from bench.pages.machines import machine_of, with_best_peaks
from bench.pages.recycling import Biases, BiasOf, biases_of, with_bias
from bench.pages.results.cells import Request
from bench.pages.results.families import Built, Family, Seen, families_of
from bench.pages.slices import DEPTHS_NEEDED, WORST_CHECK_ERROR, Slices, speedup

MOE, RIVAL = "moe", "rival"  # the two sides of a gain
UNCHECKED = "a line through {} layers of one block needs its error; measure bench/depths.py where all layers are built"


@dataclass(frozen=True, kw_only=True)
class Gain:
    """How much faster the MoE is than one other arm, and what says so."""

    scenario: str  # its id, without what was built
    machine: str
    dtype: str
    peaks: Mapping[str, float]  # the machine's best
    scale: str  # of the whole model
    phase: str  # of PHASES
    workload: str
    routing: str
    length: str  # of the prompt in tokens, or "natural"
    batch_size: int
    against: str
    seconds: Mapping[str, float]  # by side: of a step, of a prefill, of an answer
    throughput: Mapping[str, float]  # by side: the first that the record names
    speedup: Interval  # the other arm's time over the MoE's; of several launches, where another one falls
    num_launches: int
    predicted: float | None  # the same of the floors
    floor_share: Mapping[str, float]  # by side: floor over time
    distinct_experts: float | None  # a layer and step
    depths: tuple[int, ...]  # measured; empty for the whole model
    distinct_layers: int  # of all layers, whose large weights were used in turn; 0 where each had its own
    is_drawn: bool  # the context of decode steps, which no prompt was read into
    request: Request | None  # of whole answers, the mean of a batch
    check_error: float  # of the lines at the depths between; 0 for the whole model

    @property
    def layers(self) -> tuple[tuple[int, ...], int]:
        """Return the depths that were measured, and how many layers were distinct; nothing of the whole model."""
        return self.depths, self.distinct_layers


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
    coverage: tuple[int, int]  # launches after the third that fell where the first three say, and all after the third


def gains_of(records: Iterable[Record]) -> Found:
    """Return the gains of all records; peers, counted scenarios and what is of no phase have none.

    Args:
        records: of one machine or several; depths and launches of a scenario may lie in different records of one.
    """
    machines = grouped(with_best_peaks(list(records)), machine_of)
    families = [families_of(of_kind) for of_kind in machines]
    found = [one for pair in zip(families, map(biases_of, machines), strict=True) for one in _of_machine(*pair)]
    phases = [one for of_kind in families for one in grouped(of_kind, lambda family: family.phase)]
    told = [covered([family.launches for family in of_one]) for of_one in phases]
    return Found(
        [one for one in found if isinstance(one, Gain)],
        [one for one in found if isinstance(one, Dropped)],
        (sum(inside for inside, _ in told), sum(asked for _, asked in told)),
    )


def _of_machine(families: Sequence[Family], biases: Biases) -> list[Gain | Dropped]:
    """Return the gains of one kind of machine; launches of a phase spread alike."""
    phases = {family.phase for family in families}
    typical = {phase: typical_spread(one.launches for one in families if one.phase == phase) for phase in phases}
    return [_gain(family, typical[family.phase], biases) for family in families]


def _gain(family: Family, typical: float, biases: Biases) -> Gain | Dropped:
    """Join the depths of one scenario; say why not where they are too few, on no line, or recycled within a cache."""
    chosen = family.chosen
    depths = tuple(one.depth for one in chosen if one.depth)
    if why := _why_not(family, depths, biases):
        return Dropped(scenario=family.name, against=family.against, why=why)
    seen = [family.built[one] for one in chosen]
    sides = {side: _slices(depths, seen, arm) for side, arm in ((MOE, PRIMARY), (RIVAL, family.against))}
    errors = [slices.value()[1] for slices in sides.values()]
    if max(errors) > WORST_CHECK_ERROR or min(slices.value()[0] for slices in sides.values()) <= 0:
        why = f"its depths lie on no line (error {100 * max(errors):.0f} %); measure again"
        return Dropped(scenario=family.name, against=family.against, why=why)
    found = speedup(sides[RIVAL], sides[MOE], typical)
    of_arm = partial(_bias_of, biases, chosen[0])
    return _joined(family, seen, sides, with_bias(found, of_arm, family.phase, family.against), of_arm)


def _bias_of(biases: Biases, built: Built, part: str, arm: str) -> Interval | None:
    """Return what an arm's stand-in of the whole model changes in a phase, where it was measured."""
    found = biases.get((part, arm, built.line or (built.distinct_layers,)))
    return found.log_ratio if found else None


def _why_not(family: Family, depths: Sequence[int], biases: Biases) -> str:
    if not family.chosen:
        return next(map(family.flaw_of, family.built)) or "measured as a recycled slice"
    if depths and len(depths) < DEPTHS_NEEDED:
        return f"measured at {', '.join(map(str, depths))} layers; a line needs {DEPTHS_NEEDED}"
    line = family.chosen[0].line
    if line and (family.phase, PRIMARY, line) not in biases:
        return UNCHECKED.format(" and ".join(map(str, line)))
    return ""


def _slices(depths: tuple[int, ...], seen: Sequence[Seen], arm: str) -> Slices:
    full_depth = seen[0][0].arms[PRIMARY].facts.get(f"full_depth_{arm}", 0)
    return Slices(depths, [scenario.arms[arm] for scenario, _ in seen], int(full_depth))


def _joined(
    family: Family, seen: Sequence[Seen], sides: Mapping[str, Slices], found: Interval, bias_of: BiasOf
) -> Gain:
    moe, phase = seen[0][0].arms[PRIMARY], family.phase
    kind, peaks = seen[0][1].kind, seen[0][1].peaks
    seconds = {side: slices.value()[0] for side, slices in sides.items()}
    floors = {side: floor for side, slices in sides.items() if (floor := slices.floor_s(peaks))}
    quantity = next(iter(moe.rates.values()))
    return Gain(
        scenario=family.name,
        machine=describe(kind),
        dtype=str(kind["dtype"]),
        peaks=peaks,
        scale=whole_id(moe.axis("scale")),
        phase=phase,
        workload=str(moe.params.get("workload", "")),
        routing=str(moe.params.get("routing", "")),
        length=str(moe.params.get("seq_len", "")),
        batch_size=moe.size("batch_size"),
        against=family.against,
        seconds=seconds,
        throughput={side: quantity / value for side, value in seconds.items()},
        speedup=found,
        num_launches=min(len(one.launches) for one in sides[MOE].series),
        predicted=floors[RIVAL] / floors[MOE] if len(floors) == len(sides) else None,
        floor_share={side: floor / seconds[side] for side, floor in floors.items()},
        distinct_experts=moe.facts.get("distinct_experts"),
        depths=family.chosen[0].line or sides[MOE].depths,
        distinct_layers=family.chosen[0].distinct_layers,
        is_drawn=family.chosen[0].is_drawn,
        request=_request(moe),
        check_error=max(*(slices.value()[1] for slices in sides.values()), *_line_errors(family, bias_of)),
    )


def _line_errors(family: Family, bias_of: BiasOf) -> list[float]:
    """Return how far off the lines of one block are at full depth, arm by arm; none of what was drawn otherwise."""
    if not family.chosen[0].line:
        return []
    errors = [bias_of(family.phase, arm) for arm in (PRIMARY, family.against)]
    return [abs(math.expm1(error.estimate)) for error in errors if error]


def _request(moe: ArmSeries) -> Request | None:
    """Return the mean request of whole answers; records did not always count tiles: of one image there is one."""
    number, tokens = moe.facts.get("num_output_tokens"), moe.rates.get("total_tok_per_s")
    batch_size = moe.size("batch_size")
    if number is None or tokens is None:
        return None
    return Request(tokens / batch_size - number, moe.facts.get("num_tiles", batch_size) / batch_size, int(number))
