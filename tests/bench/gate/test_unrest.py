"""Tests of a run's own spread: changes around their median, in their standard errors."""

import math

import numpy as np
import pytest

from bench.gate.judging import TWO_SIDED_95
from bench.gate.stats import Interval
from bench.gate.unrest import LARGEST, MIN_SCENARIOS, unrest_of, widest
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict

ERROR = 0.03
MOE_DENSE = Control(arm="moe", against="dense")


def verdicts(shifts: list[float], control: Control = MOE_DENSE, error: float = ERROR) -> list[ScenarioVerdict]:
    half = TWO_SIDED_95 * error
    changes = [
        Change(
            control=control,
            interval=Interval(shift, shift - half, shift + half),
            tolerance=4 * ERROR,
            verdict=Verdict.OK,
            suspect=False,
        )
        for shift in shifts
    ]
    return [ScenarioVerdict(scenario=str(i), verdict=Verdict.OK, changes=(c,)) for i, c in enumerate(changes)]


def drawn(sd: float, num_scenarios: int = 400) -> list[float]:
    return (sd * np.random.default_rng(0).normal(size=num_scenarios)).tolist()


def test_a_run_that_spreads_farther_has_larger_errors_by_as_much() -> None:
    assert unrest_of(verdicts(drawn(1.7 * ERROR))) == {"arm": pytest.approx(1.7, rel=0.1)}


@pytest.mark.parametrize("factor", [0.5, 1.3])
def test_a_run_that_spreads_no_farther_than_launches_of_the_baseline_do_keeps_its_errors(factor: float) -> None:
    assert unrest_of(verdicts(drawn(factor * ERROR))) == {"arm": 1.0}


def test_a_slowdown_of_all_scenarios_alike_is_no_unrest() -> None:
    slower = [shift + math.log(1.3) for shift in drawn(ERROR)]
    assert unrest_of(verdicts(slower))["arm"] == pytest.approx(1.0, abs=0.1)


def test_a_slowdown_of_a_third_of_the_scenarios_stays_far_beyond_the_tolerance() -> None:
    shifts = drawn(ERROR)
    slower = [shift + (math.log(1.3) if i % 3 == 0 else 0.0) for i, shift in enumerate(shifts)]
    assert 4 * ERROR * unrest_of(verdicts(slower))["arm"] < math.log(1.3)


def test_a_change_that_hits_every_scenario_differently_excuses_itself_to_a_limit() -> None:
    assert unrest_of(verdicts(drawn(30 * ERROR))) == {"arm": LARGEST}


def test_few_scenarios_tell_nothing() -> None:
    assert unrest_of(verdicts(drawn(3 * ERROR, MIN_SCENARIOS - 1))) == {}
    assert widest({}) == 1.0


def test_ratios_to_the_anchor_and_between_twins_are_told_apart() -> None:
    anchored = verdicts(drawn(1.8 * ERROR), Control(arm="moe", against="anchor"))
    found = unrest_of([*verdicts(drawn(ERROR)), *anchored])
    assert found["anchor"] == pytest.approx(1.8, rel=0.1)
    assert found["arm"] == pytest.approx(1.0, abs=0.1)


def test_a_counted_value_tells_nothing() -> None:
    assert unrest_of(verdicts(drawn(3 * ERROR), Control(arm="moe", against=None))) == {}


@pytest.mark.filterwarnings("error")
def test_the_ratio_of_two_counts_has_no_error_and_tells_nothing() -> None:
    counted = verdicts([0.0] * MIN_SCENARIOS, error=0.0)
    assert unrest_of(counted) == {}
    timed = verdicts(drawn(1.7 * ERROR))
    assert unrest_of([*timed, *counted]) == unrest_of(timed)
