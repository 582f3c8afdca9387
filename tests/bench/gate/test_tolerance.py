"""Tests of how far a scenario may move; judgements with it are tested in test_judging.py."""

import math

import pytest

from bench.gate.controls import launch_values
from bench.gate.tolerance import SMALLEST_TOLERANCE, excess_noise, pooled_variances, tolerance_of, usual_error
from bench.gate.verdict import Control
from tests.bench.gate.test_judging import BASE, COUNTED, WOBBLE
from tests.bench.sample_records import scenario

MOE_DENSE = Control(arm="moe", against="dense")


def test_the_tolerance_is_four_errors_but_never_below_the_smallest() -> None:
    assert tolerance_of(0.03) == pytest.approx(0.12)
    assert tolerance_of(0.01) == SMALLEST_TOLERANCE


def test_the_usual_error_is_that_of_one_run_against_the_baselines_launches() -> None:
    sd = math.sqrt((0.04 + 8 * 0.01) / 11)  # four launches, and eight more degrees of freedom of the pooled variance
    assert usual_error([0.0, 0.2, 0.0, 0.2], 0.01) == pytest.approx(sd * math.sqrt(1 + 1 / 4))


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
    pools = pooled_variances([BASE, counted])
    assert pools["counted:arm"] == pools["counted:anchor"] == 0.0
    assert pools["timed:arm"] == pytest.approx(sum(w**2 for w in WOBBLE) / 7)
    assert pools["timed:anchor"] == pytest.approx(pools["timed:arm"] / 4)
