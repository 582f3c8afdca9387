"""Power by scipy's noncentral distributions, by the normal limit, and by how often the analysis sees what it says."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy

from bench.contrasts import Graded, contrast
from bench.power import Plan, Spread, excluded, measured_spread, seen

SPREAD = Spread(seeds=0.02, pictures=0.2, within=0.5, between=0.4)
PLAN = Plan(spread=SPREAD, num_seeds=10, num_pictures=600)
BOUND = excluded(PLAN)


def drawn(rng: np.random.Generator, plan: Plan, shift: float) -> tuple[Graded, Graded]:
    """Draw two variants by what varies: pictures, these to a variant, seeds, and a seed at a picture."""
    spread, variance = plan.spread, plan.spread.pictures**2
    shared_P = rng.normal(0, np.sqrt(spread.between * variance), plan.num_pictures)
    own_seed = np.sqrt(spread.seeds**2 - (1 - spread.within) * variance / plan.num_pictures)
    size = (plan.num_seeds, plan.num_pictures)
    graded = []
    for mean in (0.6 + shift, 0.6):
        own_P = rng.normal(0, np.sqrt((spread.within - spread.between) * variance), plan.num_pictures)
        seeds_S1 = rng.normal(0, own_seed, (plan.num_seeds, 1))
        luck_SP = rng.normal(0, np.sqrt((1 - spread.within) * variance), size)
        graded.append(Graded(sums_SP=mean + shared_P + own_P + seeds_S1 + luck_SP, counts_P=np.ones(plan.num_pictures)))
    return graded[0], graded[1]


def seeds_alone(num_seeds: int) -> Plan:
    return Plan(spread=Spread(seeds=0.03, pictures=0.0, within=0.0, between=0.0), num_seeds=num_seeds, num_pictures=9)


@pytest.mark.parametrize("num_seeds", [2, 3, 10, 40])
@pytest.mark.parametrize("comparisons", [1, 15])
def test_of_seeds_alone_it_is_the_power_of_a_t_test_by_the_noncentral_f(num_seeds: int, comparisons: int) -> None:
    plan = seeds_alone(num_seeds)
    freedom, error = 2 * (num_seeds - 1), 0.03 * np.sqrt(2 / num_seeds)
    asked = scipy.stats.f.isf(0.05 / comparisons, 1, freedom)
    found = seen(plan, comparisons=comparisons)
    assert plan.freedom == pytest.approx(freedom)
    power = scipy.stats.ncf.sf(asked, 1, freedom, (found / error) ** 2)  # of either sign: the other is never seen
    assert power == pytest.approx(0.8, abs=2e-3)


def test_a_seeds_luck_at_a_picture_is_counted_twice_by_the_analysis_and_once_by_the_power() -> None:
    """Shifted and scaled so, the test's t is noncentral."""
    asked = scipy.stats.t.ppf(0.975, PLAN.freedom) * PLAN.error / PLAN.true_error
    power = scipy.stats.nct.sf(asked, PLAN.freedom, seen(PLAN) / PLAN.true_error)
    assert power == pytest.approx(0.8, abs=1e-3)
    luck = 2 * 0.2**2 * 0.5 / 600 / 10
    assert PLAN.error**2 - PLAN.true_error**2 == pytest.approx(luck)
    assert PLAN.true_error**2 == pytest.approx(2 * 0.02**2 / 10 + 2 * 0.2**2 * 0.1 / 600)


def test_with_many_seeds_both_are_the_normal_distributions() -> None:
    plan = Plan(spread=Spread(seeds=0.03, pictures=0.0, within=0.0, between=0.0), num_seeds=20_000, num_pictures=9)
    z = scipy.stats.norm.ppf
    assert seen(plan) / plan.error == pytest.approx(z(0.975) + z(0.8), rel=2e-3)
    assert excluded(plan) / plan.error == pytest.approx(z(0.95) + z(0.9), rel=2e-3)  # inside on both sides


@pytest.mark.parametrize(
    ("shift", "is_seen"),
    [
        (seen(PLAN), lambda found: found.interval().low > 0),
        (0.0, lambda found: found.excluded < BOUND),
    ],
    ids=["a difference is told apart", "none is shown to be small"],
)
def test_the_analysis_sees_what_the_plan_says_as_often(shift: float, is_seen: Callable[..., bool]) -> None:
    rng = np.random.default_rng(11)
    hits = sum(is_seen(contrast(*drawn(rng, PLAN, shift))) for _ in range(400))
    assert 0.74 * 400 <= hits <= 0.86 * 400  # three standard deviations


def test_spreads_are_found_again_in_what_was_drawn_with_them() -> None:
    rng = np.random.default_rng(5)
    plan = Plan(spread=SPREAD, num_seeds=30, num_pictures=3000)
    found = measured_spread([*drawn(rng, plan, 0.1)])
    assert found is not None
    assert (found.seeds, found.pictures) == pytest.approx((0.02, 0.2), rel=0.15)
    assert (found.within, found.between) == pytest.approx((0.5, 0.4), abs=0.03)


def test_pictures_of_several_questions_are_scored_by_their_mean() -> None:
    sums_SP = np.array([[4.0, 0.0, 1.0], [4.0, 2.0, 0.0]])
    one = Graded(sums_SP=sums_SP, counts_P=np.array([4.0, 2.0, 0.0]))
    found = measured_spread([one, replace(one, sums_SP=sums_SP[::-1])])
    assert found is not None
    scores = np.array([[1.0, 0.0], [1.0, 1.0]])
    assert found.pictures == pytest.approx(np.sqrt(np.var(scores, axis=1, ddof=1).mean()))


def test_what_tells_no_spread_gives_none() -> None:
    same = Graded(sums_SP=np.ones((3, 4)), counts_P=np.ones(4))
    one = Graded(sums_SP=np.array([[1.0, 0.0], [0.0, 0.0]]), counts_P=np.ones(2))
    assert measured_spread([same, same]) is None
    assert measured_spread([one]) is None
    assert measured_spread([one, replace(one, sums_SP=one.sums_SP[:1])]) is None  # a single seed
    assert measured_spread([one, replace(one, counts_P=np.array([1.0, 2.0]))]) is None  # other questions


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seeds": 2.0}, "seeds must be a share, 0 to 1, got 2.0; correct it"),
        ({"between": 0.6}, "0 <= between <= within <= 1, got 0.6 and 0.5"),
        ({"seeds": 0.0, "pictures": 0.0}, "something must spread"),
    ],
)
def test_spreads_that_scores_cannot_have_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SPREAD, **wrong)


def test_a_plan_of_one_seed_or_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="num_seeds must be at least 2, got 1; plan more"):
        replace(PLAN, num_seeds=1)
    with pytest.raises(ValueError, match="num_pictures must be at least 2, got 1; plan more"):
        replace(PLAN, num_pictures=1)
