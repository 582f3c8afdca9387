"""Tests of how often the whole procedure errs, on simulated suites: first launch, suspects, fresh launches, verdict.

A suite has 40 scenarios against a baseline of eight launches. A launch's log ratio of two arms spreads by `sd`; all
launches, the baseline's too, are drawn anew for each suite, with seeds.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.gate.baseline import OpenBaseline
from bench.gate.comparison import judge_one
from bench.gate.conclude import is_suspect
from bench.gate.launch import Launcher
from bench.gate.retest import retest
from bench.gate.stats import PRIOR_LAUNCHES
from bench.gate.tolerance import TOLERANCE_ERRORS
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.record import Record
from bench.harness.run import ScenarioTest
from tests.bench.sample_records import opened_baseline, record_of, scenario

NUM_SCENARIOS = 40
NUM_SUITES = 10
NAMES = tuple(f"bench_x[{i}]" for i in range(NUM_SCENARIOS))
TIMES = {"moe": 0.002, "dense": 0.001, "anchor": 0.0005}
Draw = Callable[[np.random.Generator], float]

NOISES: dict[str, Draw] = {  # of standard deviation 1
    "normal": lambda rng: rng.normal(),
    "heavy tails": lambda rng: rng.standard_t(3) / math.sqrt(3),
    "one launch in ten disturbed": lambda rng: rng.normal(0, 3 if rng.random() < 0.1 else 1) / math.sqrt(1.8),
}


@dataclass(frozen=True, kw_only=True)
class Simulated(Launcher):
    """Draws launches instead of starting processes."""

    rng: np.random.Generator
    sd: float
    draw: Draw = NOISES["normal"]
    slow: Mapping[str, float] = field(default_factory=dict)  # arm -> factor
    root: Path = Path()
    options: Sequence[str] = ()

    def launch(self, slow: Mapping[str, float]) -> dict[str, float]:
        spread = self.sd / math.sqrt(2)  # two arms make a ratio
        return {arm: t * slow.get(arm, 1.0) * math.exp(spread * self.draw(self.rng)) for arm, t in TIMES.items()}

    def baseline(self) -> OpenBaseline:
        return opened_baseline(*(scenario(*(self.launch({}) for _ in range(8)), name=name) for name in NAMES))

    def measure(self, node_ids: Sequence[str], *, timeout_s: float) -> Record:
        assert timeout_s > 0
        return record_of(*(scenario(self.launch(self.slow), name=name) for name in node_ids))


def run_suite(machine: Simulated) -> list[ScenarioVerdict]:
    """Judge one suite as `conclude` does."""
    opened = machine.baseline()
    first = machine.measure(NAMES, timeout_s=1)
    verdicts = {name: judge_one(found, opened) for name, found in first.scenarios.items()}
    suspects = {name: ScenarioTest(node_id=name, seconds=1) for name, v in verdicts.items() if is_suspect(v, opened)}
    confirmed, _ = retest(suspects, opened, machine, deadline=math.inf, on_launch=lambda *_counts: None)
    return [*{**verdicts, **confirmed}.values()]


def share(verdicts: Sequence[ScenarioVerdict], wanted: Verdict) -> float:
    return sum(verdict.verdict is wanted for verdict in verdicts) / len(verdicts)


@pytest.mark.parametrize("sd", [0.02, 0.08])
@pytest.mark.parametrize("noise", NOISES)
def test_unchanged_code_is_hardly_ever_called_regressed(noise: str, sd: float) -> None:
    seed = [list(NOISES).index(noise), int(100 * sd)]
    machine = Simulated(rng=np.random.default_rng(seed), sd=sd, draw=NOISES[noise])
    suites = [run_suite(machine) for _ in range(NUM_SUITES)]
    # The tolerance is four standard errors, their sd known from 15 degrees of freedom: Student's t exceeds it in 0.06 %
    # of ratios, which makes 0.17 % of scenarios with three ratios each.
    implied = 3 * scipy_stats.t.sf(TOLERANCE_ERRORS, 7 + PRIOR_LAUNCHES) * NUM_SUITES * NUM_SCENARIOS
    assert implied < 2
    verdicts = [verdict for suite in suites for verdict in suite]
    assert share(verdicts, Verdict.REGRESSED) * len(verdicts) <= math.ceil(implied)
    assert share(verdicts, Verdict.OK) > 0.95


@pytest.mark.parametrize("sd", [0.02, 0.05])
def test_a_slowdown_of_30_percent_is_found_by_few_launches_and_attributed_to_the_moe(sd: float) -> None:
    machine = Simulated(rng=np.random.default_rng(int(100 * sd)), sd=sd, slow={"moe": 1.3})
    verdicts = [verdict for _ in range(NUM_SUITES) for verdict in run_suite(machine)]
    assert share(verdicts, Verdict.REGRESSED) >= (1.0 if sd < 0.05 else 0.97)  # their tolerance is 21 %
    assert max(verdict.num_launches for verdict in verdicts) <= (3 if sd < 0.05 else 5)
    found = [verdict for verdict in verdicts if verdict.verdict is Verdict.REGRESSED]
    assert sum(verdict.where == "MoE" for verdict in found) >= 0.98 * len(found)


@pytest.mark.parametrize(
    ("slow", "where"),
    [({"moe": 1.3}, "MoE"), ({"dense": 1.3}, "dense"), ({"moe": 1.3, "dense": 1.3}, "shared code")],
)
def test_the_cause_is_named_rightly(slow: dict[str, float], where: str) -> None:
    machine = Simulated(rng=np.random.default_rng(11), sd=0.02, slow=slow)
    found = [v for v in run_suite(machine) + run_suite(machine) if v.verdict is Verdict.REGRESSED]
    assert len(found) == 2 * NUM_SCENARIOS
    assert sum(verdict.where == where for verdict in found) >= 0.98 * len(found)
