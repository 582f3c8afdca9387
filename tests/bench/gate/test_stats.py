"""Tests of the statistics: by hand, against scipy's own functions, and by simulation."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.gate.stats import (
    PRIOR_LAUNCHES,
    block_log_ratios,
    hodges_lehmann_shift,
    median_interval,
    percent,
    shift_error,
    shrunken_sd,
    typical_variance,
)


@pytest.mark.parametrize("num_values", [6, 15, 40])
@pytest.mark.parametrize("draw", ["normal", "exponential", "standard_cauchy"])
def test_median_interval_covers_the_true_median(num_values: int, draw: str) -> None:
    rng = np.random.default_rng(num_values)
    true_median = {"normal": 0.0, "exponential": math.log(2), "standard_cauchy": 0.0}[draw]
    samples = getattr(rng, draw)(size=(1500, num_values))
    covered = sum(low <= true_median <= high for _, low, high in map(median_interval, samples.tolist()))
    assert covered / len(samples) >= 0.93


# 95 % limits for the median as 1-based order statistics, from P(binomial(n, 1/2) <= r) <= 0.025, counted by hand for
# n = 6 (1/64) and 8 (9/256 is too much, 1/256 is not), and from Conover's table for the others.
@pytest.mark.parametrize(("num_values", "lower"), [(6, 1), (8, 1), (9, 2), (15, 4), (20, 6), (40, 14)])
def test_median_interval_takes_the_tabled_order_statistics(num_values: int, lower: int) -> None:
    values = list(np.random.default_rng(0).permutation(num_values) + 1.0)
    middle = (num_values + 1) / 2
    assert median_interval(values) == (middle, lower, num_values + 1 - lower)


@pytest.mark.parametrize("num_values", [7, 12, 33, 100])
def test_median_interval_is_scipys(num_values: int) -> None:
    values = np.random.default_rng(1).normal(size=num_values).tolist()
    theirs: Any = scipy_stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    assert median_interval(values)[1:] == pytest.approx((theirs.low, theirs.high))


def test_below_six_values_the_whole_range_is_the_interval() -> None:
    assert median_interval([5.0, 1.0, 2.0]) == (2.0, 1.0, 5.0)
    assert median_interval([3.0]) == (3.0, 3.0, 3.0)


def test_narrower_confidence_gives_a_narrower_interval() -> None:
    values = list(map(float, range(30)))
    _, low, high = median_interval(values, confidence=0.5)
    _, wide_low, wide_high = median_interval(values)
    assert wide_low < low < high < wide_high


def test_the_typical_variance_is_found_among_scenarios_that_differ_and_not_moved_by_a_restless_few() -> None:
    rng = np.random.default_rng(0)
    typical, degrees = 0.02**2, PRIOR_LAUNCHES  # variances scatter around it as Smyth's prior has them
    own = typical * degrees / rng.chisquare(degrees, 4000)
    launches = rng.normal(0, np.sqrt(own)[:, None], (4000, 8))
    assert typical_variance(launches.tolist()) == pytest.approx(typical, rel=0.1)
    launches[:100] *= 100
    assert typical_variance(launches.tolist()) == pytest.approx(typical, rel=0.15)


def test_the_typical_variance_of_single_values_is_unknown() -> None:
    assert math.isnan(typical_variance([[1.0], [2.0]]))


def test_shrunken_sd_lies_between_own_and_typical() -> None:
    # Own squared deviations 8 with two degrees of freedom; the typical variance counts as PRIOR_LAUNCHES = 3 more.
    assert PRIOR_LAUNCHES == 3
    assert shrunken_sd([0.0, 2.0, 4.0], typical=1.0) == pytest.approx(math.sqrt((8 + 3 * 1.0) / 5))


def test_shrunken_sd_of_one_launch_is_the_typical_one() -> None:
    assert shrunken_sd([3.0], typical=0.25) == pytest.approx(0.5)


def test_hodges_lehmann_shift_is_the_median_of_all_differences() -> None:
    # Differences: 1, 0, -8, 4, 3, -5; sorted: -8, -5, 0, 1, 3, 4.
    assert hodges_lehmann_shift([2.0, 5.0], [1.0, 2.0, 10.0]) == 0.5


def test_one_wild_launch_hardly_moves_the_shift() -> None:
    base = [0.0, 0.01, -0.01, 0.02, -0.02, 0.0, 0.01, -0.01]
    assert hodges_lehmann_shift([0.0, 0.0, 5.0], base) == pytest.approx(0.0, abs=0.011)


def test_shift_error_is_that_of_a_simulated_difference_of_means() -> None:
    rng = np.random.default_rng(2)
    differences = rng.normal(0, 0.1, (4000, 3)).mean(axis=1) - rng.normal(0, 0.1, (4000, 8)).mean(axis=1)
    assert shift_error(0.1, 3, 8) == pytest.approx(differences.std(), rel=0.05)


def test_log_ratios_are_symmetric_and_pair_the_blocks() -> None:
    assert block_log_ratios([2.0, 3.0], [1.0, 6.0]) == pytest.approx([math.log(2), -math.log(2)])
    with pytest.raises(ValueError, match="shorter"):
        block_log_ratios([1.0, 2.0], [1.0])


def test_percent_turns_a_log_ratio_into_a_change() -> None:
    assert percent(math.log(0.5)) == pytest.approx(-50)


def test_what_launches_of_a_run_share_is_not_averaged_away() -> None:
    rng = np.random.default_rng(1)
    shared, num = 0.25, 200_000
    new = rng.normal(0, 0.1 * math.sqrt(shared), (num, 1)) + rng.normal(0, 0.1 * math.sqrt(1 - shared), (num, 4))
    differences = new.mean(1) - rng.normal(0, 0.1, (num, 8)).mean(1)
    assert shift_error(0.1, 4, 8, shared) == pytest.approx(differences.std(), rel=0.02)
    assert shift_error(0.1, 4, math.inf, shared) == pytest.approx(new.mean(1).std(), rel=0.02)
