"""Tests of how far a scenario may move; judgements with it are tested in test_judging.py."""

import math

import pytest
from scipy import stats as scipy_stats

from bench.gate.readings import launch_values
from bench.gate.stats import PRIOR_LAUNCHES
from bench.gate.tolerance import (
    FALSE_ALARMS,
    OF_GROUPS,
    OF_SCENARIOS,
    OF_SUITE,
    RUN_SHARE,
    SMALLEST_TOLERANCE,
    Bar,
    errors_of,
    excess_noise,
    typical_variances,
    usual_error,
)
from bench.gate.verdict import Control
from tests.bench.gate.test_judging import BASE, COUNTED, WOBBLE
from tests.bench.sample_records import scenario

MOE_DENSE = Control(arm="moe", against="dense")


def test_the_tolerance_is_so_many_errors_but_never_below_the_smallest() -> None:
    bar = Bar(4.0)
    assert bar.tolerance_of(0.03) == pytest.approx(0.12)
    assert bar.tolerance_of(0.01) == SMALLEST_TOLERANCE


def test_what_is_judged_shares_the_false_alarms_that_are_allowed() -> None:
    assert pytest.approx(1.0) == OF_SCENARIOS + OF_GROUPS + OF_SUITE
    # a table of Student's t with 7 + 3 degrees of freedom has 3.169 at 0.5 % and 4.144 at 0.1 %, one-sided
    assert errors_of(1.0, 10, 8) == pytest.approx(3.169, abs=0.001)
    assert errors_of(0.02 * 0.05 / FALSE_ALARMS, 1, 8) == pytest.approx(4.144, abs=0.001)


def test_the_more_is_judged_and_the_less_is_known_of_the_spread_the_more_errors_it_takes() -> None:
    assert errors_of(0.6, 48, 8) > errors_of(0.6, 4, 8)
    assert errors_of(0.6, 4, 3) > errors_of(0.6, 4, 8)


def test_launches_of_one_run_are_averaged_as_far_as_they_do_not_share_its_state() -> None:
    shared = RUN_SHARE["arm"]
    assert usual_error(0.1, MOE_DENSE, 1, 4) == pytest.approx(0.1 * math.sqrt(1 + 1 / 4))
    assert usual_error(0.1, MOE_DENSE, 5, 4) == pytest.approx(0.1 * math.sqrt(shared + (1 - shared) / 5 + 1 / 4))
    to_the_anchor = Control(arm="moe", against="anchor")
    assert usual_error(0.1, to_the_anchor, 5, 4) == pytest.approx(0.1 * math.sqrt(1 + 1 / 4))


def test_only_noise_that_the_baseline_did_not_have_is_in_excess() -> None:
    calm, noisy = (
        scenario(*[{"moe": [math.exp(sign * spread) for sign in (-1, -1, 1, 1)], "dense": [1.0] * 4}] * 2)
        for spread in (0.1, 0.2)
    )
    variance = math.pi / 2 * (1.4826 * 0.1) ** 2 / 4  # of the centre of four blocks that lie 0.1 from it
    assert excess_noise(noisy, calm, MOE_DENSE) == pytest.approx(3 * variance)  # twice the spread: four times as much
    assert excess_noise(calm, noisy, MOE_DENSE) == 0.0
    assert launch_values(noisy, MOE_DENSE) == pytest.approx([0.0, 0.0])


def test_counted_values_have_a_pool_of_their_own() -> None:
    counted = scenario(*[{"moe": 100.0, "dense": 100.0}] * 8, **COUNTED)
    pools = typical_variances([BASE, counted])
    assert pools["counted:arm"] == pools["counted:anchor"] == 0.0
    alone = sum(w**2 for w in WOBBLE) / 7 / scipy_stats.f.median(7, PRIOR_LAUNCHES)  # the only one is the typical one
    assert pools["timed:arm"] == pytest.approx(alone)
    assert pools["timed:anchor"] == pytest.approx(pools["timed:arm"] / 4)
