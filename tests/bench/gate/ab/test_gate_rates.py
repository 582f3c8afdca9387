"""Tests of how often base against head errs, on a few simulated suites of 200 scenarios; all of them: gate_rates.py."""

import numpy as np
import pytest

from bench.gate.verdict import Verdict
from tests.bench.gate.ab.gate_rates import NAMES, NOISES, NUM_SCENARIOS, run_suite, share

pytestmark = pytest.mark.long

NUM_SUITES = 3  # of each kind; a second or two
FEW = NAMES[:60]  # a suspect takes as long to judge as ten that are cleared at once


@pytest.mark.parametrize("noise", NOISES)
def test_unchanged_suites_raise_no_alarm_and_nine_in_ten_scenarios_are_ok(noise: str) -> None:
    rng = np.random.default_rng(5)
    suites = [run_suite(rng, NOISES[noise]) for _ in range(NUM_SUITES)]
    assert [share(suite, Verdict.REGRESSED) for suite in suites] == [0.0] * NUM_SUITES
    assert np.mean([share(suite, Verdict.OK) for suite in suites]) >= 0.9
    assert np.mean([suite.num_launches for suite in suites]) <= 14 * NUM_SCENARIOS


@pytest.mark.parametrize("noise", NOISES)
def test_five_percent_on_the_moe_is_found_and_put_down_to_it(noise: str) -> None:
    suite = run_suite(np.random.default_rng(6), NOISES[noise], names=FEW, slow={"moe": 1.05})
    assert share(suite, Verdict.REGRESSED) >= 0.95
    assert sum(where == "MoE" for where in suite.where.values()) >= 0.95 * len(FEW)


@pytest.mark.parametrize(("slow", "where"), [({"dense": 1.05}, "dense"), ({"moe": 1.05, "dense": 1.05}, "shared code")])
def test_other_causes_are_named_too(slow: dict[str, float], where: str) -> None:
    suite = run_suite(np.random.default_rng(7), NOISES["heavy tails"], names=FEW, slow=slow)
    assert sum(found == where for found in suite.where.values()) >= 0.95 * len(FEW)


def test_one_slow_scenario_among_200_is_the_only_one_accused() -> None:
    suite = run_suite(np.random.default_rng(8), NOISES["normal"], slow={"moe": 1.05}, slow_names=NAMES[:1])
    assert [name for name, verdict in suite.verdicts.items() if verdict is Verdict.REGRESSED] == [NAMES[0]]


def test_a_machine_that_slows_everything_is_unfit() -> None:
    suite = run_suite(
        np.random.default_rng(9), NOISES["heavy tails"], names=FEW, slow=dict.fromkeys(("moe", "dense", "anchor"), 1.05)
    )
    assert share(suite, Verdict.REGRESSED) <= 0.05
    assert share(suite, Verdict.UNFIT) >= 0.95


def test_a_machine_that_favours_one_slot_accuses_nobody() -> None:
    suite = run_suite(np.random.default_rng(10), NOISES["heavy tails"], names=FEW, slot_bias=0.03)
    assert share(suite, Verdict.REGRESSED) == 0.0
    assert share(suite, Verdict.UNFIT) > 0.0
