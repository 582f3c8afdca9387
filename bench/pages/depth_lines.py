"""What depths of one block say of the whole model: block by block the line through two of them, and how far off it is.

A record of bench/depths.py holds arms cut to fewer layers beside the built ones. All arms of a block met the same
disturbance, so their line is drawn block by block, and what it gives at full depth is a sample as any other.
"""

import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from msgspec import structs

from bench.gate.stats import block_log_ratios
from bench.harness.arms import ANCHOR, PRIMARY
from bench.harness.depths import depth_arm, depth_of
from bench.harness.record import ArmSeries, Launch, Scenario
from bench.harness.record.schema import CostForm
from bench.pages.slices import through

MEASURED = re.compile(r"bench_depths\[(?P<built>.*)-(?P<phase>decode|prefill)\]")
LINE = ("line_from", "line_to")  # facts: the depths that carry a line
NO_LINE = "no_line"  # a fact: most blocks give no time above 0
LEAST_S = 1e-12  # stands for such a time of a disturbed block, which medians pass over


class LineError(NamedTuple):
    """What a line gives at full depth over the whole model's time in the same blocks."""

    arm: str
    depths: tuple[int, int]
    launches: list[list[float]]  # log ratios, one a block


def line_flaw(facts: Mapping[str, float]) -> str:
    """Say why the samples of a line tell nothing; empty where they do, and of what was measured."""
    return "its depths lie on no line; measure again" if NO_LINE in facts else ""


def straightened(scenario: Scenario) -> Scenario | None:
    """Return the whole model's scenario as lines of bench/depths.py give it; None of others, and where it was built.

    Its arms have the facts of LINE.
    """
    found, depths = MEASURED.fullmatch(scenario.id), _depths(scenario)
    if not found or not depths or _is_whole(scenario):
        return None
    arms = {
        arm: series if arm == ANCHOR else _line(scenario, arm, depths)
        for arm, series in scenario.arms.items()
        if not depth_of(arm)
    }
    name = f"bench_{found['phase']}[{found['built']}]"
    return Scenario(id=name, arms={arm: structs.replace(series, scenario=name) for arm, series in arms.items()})


def line_errors(scenario: Scenario) -> Iterator[LineError]:
    """Return how far off the lines of a scenario are, where the whole model stands in the same blocks."""
    depths = _depths(scenario)
    if not MEASURED.fullmatch(scenario.id) or not depths or not _is_whole(scenario):
        return
    for arm, whole in scenario.arms.items():
        if arm != ANCHOR and not depth_of(arm):
            line = _line(scenario, arm, depths)
            pairs = zip(line.launches, whole.launches, strict=True)
            if not line_flaw(line.facts):
                yield LineError(arm, depths, [block_log_ratios(one.samples, built.samples) for one, built in pairs])


def _depths(scenario: Scenario) -> tuple[int, int] | None:
    """Return the two depths that carry the line: those that were cut, and the built one where only one was."""
    cut = {known.depth for arm in scenario.arms if (known := depth_of(arm)) and known.built == PRIMARY}
    every = sorted(cut | {int(scenario.arms[PRIMARY].facts.get("depth", 0))})
    return (every[0], every[1]) if cut and len(every) > 1 else None


def _is_whole(scenario: Scenario) -> bool:
    facts = scenario.arms[PRIMARY].facts
    return facts.get("depth") == facts.get(f"full_depth_{PRIMARY}")


def _line(scenario: Scenario, arm: str, depths: tuple[int, int]) -> ArmSeries:
    """Return an arm as the line through its two depths gives it at its full depth, block by block."""
    built = scenario.arms[arm]
    first, last = (scenario.arms.get(depth_arm(arm, depth), built) for depth in depths)
    full = int(built.facts.get(f"full_depth_{arm}", 0))

    def at_full(low: float, high: float) -> float:
        return through({depths[0]: low, depths[1]: high}).at(full)

    def sample(low: float, high: float) -> float:
        return max(LEAST_S, at_full(low, high))

    launches = [
        Launch(id=one.id, voided=one.voided, samples=tuple(map(sample, one.samples, other.samples)))
        for one, other in zip(first.launches, last.launches, strict=True)
    ]
    is_line = all(statistics.median(launch.samples) > LEAST_S for launch in launches)
    told = {"depth": full, **dict(zip(LINE, depths, strict=True)), **({} if is_line else {NO_LINE: 1})}
    return structs.replace(
        built,
        launches=tuple(launches),
        cost=_cost(first, last, at_full),
        facts={**built.facts, **told},
    )


def _cost(first: ArmSeries, last: ArmSeries, at_full: Callable[[float, float], float]) -> CostForm | None:
    """Return the work at full depth, which is a line in the depth, part by part."""
    if not first.cost or not last.cost:
        return None
    parts = [
        [at_full(low, high) for low, high in zip(one, other, strict=True)]
        for one, other in zip(first.cost.get("parts", []), last.cost.get("parts", []), strict=True)
    ]
    flops, moved = (at_full(first.cost[unit], last.cost[unit]) for unit in ("flops", "bytes"))
    return {"flops": flops, "bytes": moved, "parts": parts}
