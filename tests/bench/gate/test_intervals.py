"""Intervals joined and compared, against numbers by hand and simulated truth."""

import math

import numpy as np
import pytest

from bench.gate.intervals import independent_difference, independent_ratio, joined, joined_rate, joined_share
from bench.gate.stats import Interval


def around(estimate: float, half: float) -> Interval:
    return Interval(estimate, estimate - half, estimate + half)


def test_two_seeds_join_by_hand() -> None:
    """Mean 0.6; t(1) = 12.706 times sd 0.1414 over sqrt 2 is 1.2706; samples 0.04 in the mean."""
    found = joined([around(0.5, 0.03), around(0.7, 0.05)])
    half = math.hypot(1.2706, 0.04)
    assert found == pytest.approx((0.6, 0.6 - half, 0.6 + half), abs=1e-3)


def test_sides_of_an_interval_join_apart() -> None:
    found = joined([Interval(0.5, 0.4, 0.52), Interval(0.5, 0.38, 0.54)])
    assert found == pytest.approx((0.5, 0.5 - 0.11, 0.5 + 0.03))


def test_an_accuracy_stays_within_0_and_1_and_a_rate_above_0() -> None:
    assert joined_share([Interval(0.9, 0.8, 0.95), Interval(1.0, 1.0, 1.0)]).high == 1.0
    assert joined_rate([Interval(10.0, 9.0, 11.0), Interval(20.0, 19.0, 21.0)]).low > 0


def test_joined_intervals_hold_the_truth_at_least_as_often_as_they_say() -> None:
    """Seeds vary, and all of them answer the same questions, whose luck they share."""
    rng, truth, seed_sd, sample_sd, hits = np.random.default_rng(0), 0.6, 0.02, 0.03, 0
    for _ in range(1000):
        luck = rng.normal(0, sample_sd)
        found = joined([around(truth + luck + rng.normal(0, seed_sd), 1.96 * sample_sd) for _ in range(3)])
        hits += found.low <= truth <= found.high
    assert hits / 1000 >= 0.95


def test_a_ratio_is_one_over_the_other_and_as_far_from_it_as_its_logarithms() -> None:
    """Both within 10 % to either side: the logarithms' half-widths add in squares."""
    rate = Interval(100.0, 100.0 / 1.1, 110.0)
    found = independent_ratio(rate, Interval(50.0, 50.0 / 1.1, 55.0))
    apart = 1.1 ** math.sqrt(2)
    assert found == pytest.approx((2.0, 2.0 / apart, 2.0 * apart))


def test_two_estimates_that_know_nothing_of_each_other_differ_as_simulated_ones_do() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.6, 0.02, 100_000), rng.normal(0.5, 0.03, 100_000)
    low, high = np.quantile(one - other, (0.025, 0.975))
    found = independent_difference(around(0.6, 1.96 * 0.02), around(0.5, 1.96 * 0.03))
    assert found == pytest.approx((0.1, low, high), abs=2e-3)


def test_sides_of_a_difference_are_of_opposite_sides() -> None:
    found = independent_difference(Interval(0.6, 0.5, 0.65), Interval(0.5, 0.46, 0.62))
    assert found == pytest.approx((0.1, 0.1 - math.hypot(0.1, 0.12), 0.1 + math.hypot(0.05, 0.04)))
