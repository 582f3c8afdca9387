"""Tests of exact inference: by hand, from tables, and against scipy and the definitions."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.gate.ab.exact import clipped, holm, sign_flip_p, signed_rank_interval, upper_limit


def scipys_p(values: list[float]) -> float:
    """Flip the signs in all ways, one by one."""
    cut = 1.5 * np.median(np.abs(values))

    def clipped_sum(sample: np.ndarray[Any, Any], axis: int) -> Any:
        return np.clip(sample, -cut, cut).sum(axis=axis)

    found = scipy_stats.permutation_test(
        (np.asarray(values),),
        clipped_sum,
        permutation_type="samples",
        n_resamples=np.inf,
        alternative="greater",
        vectorized=True,
        batch=1 << 14,
    )
    return float(found.pvalue)


@pytest.mark.parametrize("num_values", [2, 5, 6, 11, 14])
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_sign_flips_give_scipys_p_value(num_values: int, shift: float) -> None:
    values = (np.random.default_rng(num_values).standard_t(3, num_values) + shift).tolist()
    assert sign_flip_p(values) == pytest.approx(scipys_p(values), rel=1e-12)


def test_twenty_launches_give_the_p_value_of_all_million_patterns() -> None:
    values = np.random.default_rng(3).normal(0.015, 0.034, 20)
    kept = np.clip(values, -1.5 * np.median(np.abs(values)), 1.5 * np.median(np.abs(values)))
    flips = np.arange(2**20, dtype=np.int32)
    sums = np.zeros(2**20)
    for bit, value in enumerate(kept):
        sums += np.where(flips >> bit & 1, -value, value)
    expected = float(np.mean(sums >= kept.sum() - 1e-12))
    assert 0.001 < expected < 0.2
    assert sign_flip_p(values.tolist()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "values", [[0.1, 0.1, 0.1, -0.1, -0.1], [0.3, 0.1, 0.2, -0.3, 0.0, 0.0], [0.0] * 4, [0.7, -0.1, -0.2, -0.4, 0.1]]
)
def test_ties_and_zeros_count_as_reached_whatever_the_rounding(values: list[float]) -> None:
    assert sign_flip_p(values) == pytest.approx(scipys_p(values), rel=1e-12)


def test_smallest_p_value_is_one_pattern_of_signs() -> None:
    assert sign_flip_p([0.1] * 20) == 2**-20
    assert sign_flip_p([-0.1] * 20) == 1.0


def test_one_wild_launch_counts_no_more_than_its_sign_and_the_clip() -> None:
    calm = [0.05] * 19
    assert sign_flip_p([*calm, -50.0]) == sign_flip_p([*calm, -0.08]) < 1e-4
    assert clipped([*calm, -50.0])[-1] == pytest.approx(-1.5 * 0.05)


def test_p_values_of_unchanged_code_are_below_5_percent_in_5_percent() -> None:
    launches = np.random.default_rng(4).standard_t(3, (4000, 12)).tolist()
    share = np.mean([sign_flip_p(values) < 0.05 for values in launches])
    assert share == pytest.approx(0.05, abs=0.012)


def closed_test(p_values: list[float], index: int) -> float:
    """Adjust by definition: the largest Bonferroni p value of any set of hypotheses that holds this one."""
    others = [p for i, p in enumerate(p_values) if i != index]
    sets = itertools.chain.from_iterable(itertools.combinations(others, k) for k in range(len(p_values)))
    return max(min(1.0, (len(one) + 1) * min([*one, p_values[index]])) for one in sets)


@pytest.mark.parametrize("seed", range(4))
def test_holm_is_closed_testing_with_bonferroni(seed: int) -> None:
    p_values = (np.random.default_rng(seed).random(7) ** 3).round(3).tolist()
    assert holm(p_values) == pytest.approx([closed_test(p_values, i) for i in range(7)])


def test_holm_by_hand() -> None:
    # sorted 0.01, 0.02, 0.03, 0.5 times 4, 3, 2, 1; none below one before it
    assert holm([0.03, 0.5, 0.01, 0.02]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert holm([]) == []


# Critical values of the signed-rank statistic at 2.5 % in one tail, from the tables in statistics books.
@pytest.mark.parametrize(("num_values", "critical"), [(6, 0), (8, 3), (10, 8), (15, 25), (20, 52)])
def test_limits_are_the_tabled_means_of_pairs(num_values: int, critical: int) -> None:
    values = np.random.default_rng(num_values).normal(size=num_values)
    means = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(values.tolist(), 2))
    assert signed_rank_interval(values.tolist())[1:] == pytest.approx((means[critical], means[-1 - critical]))


@pytest.mark.parametrize("num_values", [7, 12, 20])
def test_interval_holds_the_centres_that_scipys_wilcoxon_test_does_not_refuse(num_values: int) -> None:
    values = np.random.default_rng(num_values).standard_t(3, num_values)
    _, low, high = signed_rank_interval(values.tolist())

    def p_value(centre: float) -> float:
        return float(scipy_stats.wilcoxon(values - centre, method="exact").pvalue)

    step = 1e-9
    assert p_value(low - step) <= 0.05 < p_value(low + step)
    assert p_value(high + step) <= 0.05 < p_value(high - step)


def test_estimate_is_the_median_of_the_means_of_pairs() -> None:
    assert signed_rank_interval([1.0, 2.0, 6.0]).estimate == 2.75


def test_upper_limit_is_the_one_sided_one() -> None:
    # At 5 % in one tail the tabled critical value of six is 2: the third largest of the means of pairs.
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]  # means of pairs from the top: 32, 24, 20
    assert upper_limit(values) == 20.0
    assert signed_rank_interval(values).high == 32.0


@pytest.mark.parametrize(
    ("num_values", "two_sided", "one_sided"), [(4, False, False), (5, False, True), (6, True, True)]
)
def test_too_few_launches_have_no_limit(num_values: int, two_sided: bool, one_sided: bool) -> None:
    values = list(map(float, range(num_values)))
    assert all(map(math.isfinite, signed_rank_interval(values))) is two_sided
    assert math.isfinite(upper_limit(values)) is one_sided
