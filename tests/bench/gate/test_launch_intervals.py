"""Tests of the interval over launches and blocks: how often another launch falls inside, simulated."""

import math

import numpy as np
import pytest
import scipy

from bench.gate.launch_intervals import another_launch, covered, typical_spread
from bench.gate.stats import PRIOR_LAUNCHES

BLOCK_SD, NUM_BLOCKS = 0.02, 12
NUM_SCENARIOS = 800


def simulated(num_launches: int, launch_sd: float, *, varying: bool = False, num: int = NUM_SCENARIOS) -> np.ndarray:
    """Draw log ratios, (scenarios, launches, blocks): a launch effect, and blocks around it.

    Varying: a scenario's own spread is drawn around the typical one as Smyth's prior has it.
    """
    rng = np.random.default_rng(num_launches)
    spread = np.full(num, launch_sd)
    if varying:
        spread = launch_sd * np.sqrt(PRIOR_LAUNCHES / rng.chisquare(PRIOR_LAUNCHES, num))
    effects = rng.normal(0, 1, (num, num_launches)) * spread[:, None]
    return effects[:, :, None] + rng.normal(0, BLOCK_SD, (num, num_launches, NUM_BLOCKS))


def coverage(drawn: np.ndarray, typical: float) -> float:
    """Return how often the last launch of a scenario falls into the interval of those before it."""
    found = [another_launch(list(map(list, launches[:-1])), typical) for launches in drawn]
    later = np.median(drawn[:, -1], axis=-1)
    return float(np.mean([one.low <= value <= one.high for one, value in zip(found, later, strict=True)]))


@pytest.mark.parametrize("launch_sd", [0.0, 0.005, 0.15])
@pytest.mark.parametrize("num_launches", [2, 3, 8])
def test_another_launch_falls_inside_of_the_spread_of_its_own_launches(num_launches: int, launch_sd: float) -> None:
    assert coverage(simulated(num_launches + 1, launch_sd), math.nan) >= 0.93


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("launch_sd", [0.005, 0.15])
@pytest.mark.parametrize("num_launches", [1, 2, 3])
def test_the_typical_spread_stands_in_for_launches_that_are_few(
    num_launches: int, launch_sd: float, varying: bool
) -> None:
    drawn = simulated(num_launches + 1, launch_sd, varying=varying)
    others = simulated(4, launch_sd, varying=varying, num=40)
    typical = typical_spread(others.tolist())
    assert 0.93 <= coverage(drawn, typical) <= 0.999


def test_the_typical_spread_makes_the_interval_of_three_launches_narrower_where_all_spread_alike() -> None:
    drawn = simulated(3, 0.03, num=200).tolist()
    widths = [[np.ptp(another_launch(one, typical)[1:]) for one in drawn] for typical in (math.nan, 0.03**2)]
    assert np.mean(widths[1]) < 0.8 * np.mean(widths[0])


def test_blocks_alone_cover_no_launch_effect() -> None:
    """Simulate what is done where one launch is all there is: its interval is of its blocks, and the page says so."""
    assert coverage(simulated(2, 0.03), math.nan) < 0.5
    assert coverage(simulated(2, 0.0), math.nan) > 0.9  # a spread of twelve blocks by their median deviation


def test_of_launches_without_spread_it_is_students_prediction_of_one_more_value() -> None:
    found = another_launch([[0.0], [1.0], [5.0]])
    half = scipy.stats.t.ppf(0.975, 2) * math.sqrt(7 * 4 / 3)  # variance 7
    assert found == pytest.approx((2.0, 2.0 - half, 2.0 + half))


def test_launches_that_agree_by_chance_are_held_to_what_their_blocks_allow() -> None:
    wide = [-0.1, 0.0, 0.1]
    found = another_launch([wide, wide, wide])
    assert found.high - found.low > 0.2


def test_a_single_block_tells_nothing() -> None:
    assert another_launch([[0.3]]) == (0.3, -math.inf, math.inf)


def test_coverage_counts_later_launches_by_the_first_three() -> None:
    steady = [[float(place)] for place in (0, 1, 2, 1, 50)]
    assert covered([steady, steady[:3]]) == (1, 2)
    drawn = simulated(8, 0.03, num=20)
    inside, asked = covered(drawn.tolist())
    assert asked == 20 * 5
    assert 0.85 <= inside / asked <= 1.0
