"""What a record claims: the MoE is so many times as fast as another model, with an interval and a verdict."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bench.gate.readings import launch_values
from bench.gate.stats import Interval, mean_interval
from bench.gate.verdict import Control
from bench.harness.arms import ANCHOR, DENSE, PRIMARY
from bench.harness.record import Record, Scenario

LARGEST_EXPONENT = 709  # beyond it, exp is no float
SUPPORTED, UNDECIDED = "supported", "undecided"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """How much faster the MoE is than one other arm of one scenario."""

    scenario: str
    against: str
    params: Mapping[str, object]
    speedup: Interval  # the other arm's time over the MoE's
    num_launches: int

    @property
    def verdict(self) -> str:
        """Return whether the interval leaves 1 out."""
        return SUPPORTED if self.speedup.low > 1 or self.speedup.high < 1 else UNDECIDED

    @property
    def control(self) -> Control:
        """Return the ratio that the claim is about, as comparisons know it: the MoE's time over the other's."""
        return Control(arm=PRIMARY, against=self.against)

    def __str__(self) -> str:
        """Return the claim as a sentence."""
        faster = self.speedup.estimate >= 1
        factor = self.speedup.estimate if faster else 1 / self.speedup.estimate
        where = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.params.items())
        how, benchmark = "faster" if faster else "slower", self.scenario.partition("[")[0]
        return f"the MoE is {factor:.2f} times {how} than {DENSE[self.against]} in {benchmark}: {where}"


def claims_of(record: Record) -> list[Claim]:
    """Return the claims of a record's timed scenarios against dense models, in its order."""
    return [
        Claim(
            scenario=scenario.id,
            against=arm,
            params=scenario.arms[PRIMARY].params,
            speedup=speedup(scenario, arm),
            num_launches=len(scenario.launch_ids),
        )
        for scenario in record.scenarios.values()
        if ANCHOR in scenario.arms
        for arm in scenario.arms
        if arm in DENSE
    ]


def speedup(scenario: Scenario, against: str) -> Interval:
    """Return the other arm's time over the MoE's: geometric mean over launches, with Student's 95 % interval.

    One launch tells nothing of the next: its interval is without bounds.
    """
    values = launch_values(scenario, Control(arm=against, against=PRIMARY))
    return Interval(*map(_exp, mean_interval(values)))


def _exp(value: float) -> float:
    return math.exp(value) if value < LARGEST_EXPONENT else math.inf
