"""The boundary against the martingale that it comes from and against walks of noise; the guard against enumeration."""

import math

import numpy as np
import pytest
from scipy import stats

from bench.gate.ab.boundary import TAIL, TAIL_SCALE, boundary, guard, num_exceptions


@pytest.mark.parametrize("prior", [1.0, 3.0])
@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_on_the_boundary_the_mixture_martingale_is_one_over_the_error(n: int, prior: float) -> None:
    sum_there = n * float(boundary(n, 0.02, prior))
    martingale = math.sqrt(prior / (n + prior)) * math.exp(sum_there**2 / (2 * (n + prior)))
    assert martingale == pytest.approx(1 / 0.02)


def test_means_of_noise_hardly_ever_cross_it_at_any_of_300_looks() -> None:
    walks = np.cumsum(np.random.default_rng(0).normal(size=(4000, 300)), axis=1)
    n = np.arange(1, 301)
    crossed = np.any(walks / n > boundary(n, 0.05, 3.0), axis=1)
    assert 0.005 < crossed.mean() < 0.05  # of both sides together 0.05 at most; not so wide that it never happens


def test_without_information_nothing_is_excluded() -> None:
    assert math.isinf(boundary(0, 0.05, 3.0))


def test_it_narrows_with_every_launch() -> None:
    assert np.all(np.diff(boundary(np.arange(1, 50), 0.001, 3.0)) < 0)


def test_two_launches_must_both_lie_beyond_what_either_tail_reaches() -> None:
    each = math.sqrt(1e-4)  # both, by the same chance
    assert guard(2, 1e-4) == pytest.approx(max(stats.norm.isf(each), TAIL_SCALE * stats.t(2.5).isf(each)))


@pytest.mark.parametrize(("num_launches", "error"), [(3, 1e-3), (5, 1e-4), (9, 1e-4), (16, 1e-5)])
def test_noise_of_either_tail_passes_the_guard_no_more_often_than_it_may(num_launches: int, error: float) -> None:
    beyond = guard(num_launches, error)
    for tail in (stats.norm, stats.t(2.5, scale=TAIL_SCALE)):
        each = float(tail.sf(beyond))
        needed = num_launches - num_exceptions(num_launches)
        passes = sum(
            math.comb(num_launches, k) * each**k * (1 - each) ** (num_launches - k)
            for k in range(needed, num_launches + 1)
        )
        assert passes <= error * 1.001


def test_the_heavy_tail_has_the_robust_spread_of_a_normal_one() -> None:
    by_quantile = TAIL_SCALE * float(TAIL.isf(0.025)) / 1.96
    by_median = TAIL_SCALE * float(TAIL.isf(0.25)) * 1.4826
    assert max(by_quantile, by_median) == pytest.approx(1, abs=0.02)
