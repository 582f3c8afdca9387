"""How often base against head errs, on simulated suites: a look after every launch, as `ab` does.

    python -m tests.bench.gate.ab.gate_rates [SUITES] > rates.md

A launch of a scenario is one number an arm: the noise lies between launches, where blocks cannot average it away.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.gate.ab.evidence import Evidence, weigh
from tests.bench.gate.ab.suites import ARMS, FAMILIES, Draw, Floats, changed, effects, panel
from tests.bench.gate.drawn_suites import pool_of_first_schema

RECORD = Path(__file__).parents[4] / "docs" / "records" / "qualify-cpu.json"
LAUNCH_SDS = (0.02, 0.034)  # of a quiet and of a loaded machine
SIZES = (48, 200)  # scenarios
FULL_SUITES = 1000
NUM_LAUNCHES = 28  # 21 real ones
TOLERANCE, EFFECT = math.log(1.05), math.log(1.02)
CHANGES = {  # what is slower, in percent, and where it must be found
    "+30 % of one scenario": {(3, "moe"): 30.0},
    "+10 % of one scenario": {(3, "moe"): 10.0},
    "+5 % of one scenario": {(3, "moe"): 5.0},
    "+5 % of all, MoE": {(None, "moe"): 5.0},
    "+2 % of all, MoE": {(None, "moe"): 2.0},
    "+5 % of all, both arms": {(None, "moe"): 5.0, (None, "dense"): 5.0},
    "+5 % of all, dense": {(None, "dense"): 5.0},
}


class Suite(NamedTuple):
    """What one suite came to, in real launches; infinite for never."""

    slower_SA: Floats  # until an arm of a scenario is REGRESSED
    ok_SA: Floats  # until its tolerance is excluded
    group: float  # until any group is REGRESSED
    covered: float  # share of the intervals, over scenarios, arms and looks, that hold the truth

    @property
    def is_alarm(self) -> bool:
        """Tell whether anything was REGRESSED at any look."""
        return math.isfinite(min(self.group, float(self.slower_SA.min())))


def run_suite(values_LSA: Floats, change_SA: Floats) -> Suite:
    """Look at a suite after every real launch."""
    shape = change_SA.shape
    slower_SA, ok_SA, group, covered = np.full(shape, np.inf), np.full(shape, np.inf), math.inf, []
    for real, evidence in _looks(changed(values_LSA, change_SA)):
        slower_SA = np.where(evidence.is_slower_SA, np.minimum(slower_SA, real), slower_SA)
        ok_SA = np.where(evidence.upper_SA < TOLERANCE, np.minimum(ok_SA, real), ok_SA)
        group = min([group, *(real for one in evidence.groups if one.is_slower)])
        covered.append(np.abs(evidence.estimate_SA - change_SA) <= evidence.half_width_SA)
    return Suite(slower_SA, ok_SA, group, float(np.mean(covered)))


def _looks(values_LSA: Floats) -> Iterator[tuple[int, Evidence]]:
    whole = panel(values_LSA)
    effects_S = np.full(len(whole.scenarios), EFFECT)
    for count in range(3, len(values_LSA) + 1):
        if not whole.is_placebo_L[count - 1]:
            part = panel(values_LSA[:count])
            yield int(np.sum(~part.is_placebo_L)), weigh(part, effects_S)


def suites(
    draw: Draw, num_suites: int, *, num_scenarios: int, sd: float, change: object = None, launches: int = NUM_LAUNCHES
) -> list[Suite]:
    """Draw suites of one family of noise and run them."""
    rng = np.random.default_rng(num_scenarios)
    change_SA = effects(num_scenarios, change or {})  # type: ignore[arg-type]
    shape = (launches, num_scenarios, 2)
    return [run_suite(sd * draw(rng, shape), change_SA) for _ in range(num_suites)]


def alarms(found: Sequence[Suite]) -> float:
    """Return the share of suites with an alarm."""
    return float(np.mean([suite.is_alarm for suite in found]))


def launches_until(found: Sequence[Suite], name: str) -> float:
    """Return the median number of real launches until a change of CHANGES is found where it must be."""
    is_one = "one" in name
    return float(np.median([suite.slower_SA[3, 0] if is_one else suite.group for suite in found]))


def report(num_suites: int) -> Iterator[str]:
    """Yield a table's lines: false alarms, launches to OK and coverage by family, then launches to each change."""
    yield "| noise | sd | scenarios | suites with an alarm | launches to OK | intervals that hold the truth |"
    yield "|---|---|---|---|---|---|"
    for name, draw in FAMILIES.items():
        for sd in LAUNCH_SDS:
            for size in SIZES:
                found = suites(draw, num_suites, num_scenarios=size, sd=sd)
                ok = float(np.median([suite.ok_SA for suite in found]))
                covered = 100 * float(np.mean([suite.covered for suite in found]))
                said = f"{100 * alarms(found):.1f} % | {ok:.0f} | {covered:.1f} %"
                yield f"| {name} | {100 * sd:.1f} % | {size} | {said} |"
    for size in SIZES:
        found = suites(measured, num_suites, num_scenarios=size, sd=1.0)
        yield f"| measured launches | | {size} | {100 * alarms(found):.1f} % | | |"
    yield ""
    yield "| change | noise | sd | launches until it is REGRESSED (median) |"
    yield "|---|---|---|---|"
    for change, percent in CHANGES.items():
        for name in ("normal", "Student 2.5"):
            for sd in LAUNCH_SDS:
                found = suites(
                    FAMILIES[name], num_suites // 5, num_scenarios=SIZES[0], sd=sd, change=percent, launches=44
                )
                yield f"| {change} | {name} | {100 * sd:.1f} % | {launches_until(found, change):.0f} |"


def measured(rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    """Draw launches from measured ones, whole: what a launch did to all its scenarios stays together.

    Their spread is 2 % at a load of 1 to 13. Suites of more scenarios than were measured put several launches together.
    """
    pool_LSA = np.array(
        [[[arms[arm] for arm in ARMS] for arms in one.values()] for one in pool_of_first_schema(RECORD)]
    )
    blocks = math.ceil(shape[1] / pool_LSA.shape[1])
    drawn = [pool_LSA[rng.integers(len(pool_LSA), size=shape[0])] for _ in range(blocks)]
    return np.asarray(np.concatenate(drawn, axis=1)[:, : shape[1]])


if __name__ == "__main__":
    for line in report(int(sys.argv[1]) if len(sys.argv) > 1 else FULL_SUITES):
        print(line, flush=True)  # noqa: T201
