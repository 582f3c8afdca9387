"""Tests of comparing ways of training: by hand, against scipy's own tests, and how often intervals hold the truth."""

import math
from typing import Any

import numpy as np
import pytest
import scipy

from bench.contrasts import Contrast, Graded, contrast, graded_of, holm

ONE = Graded(sums_SP=np.array([[1.0, 2.0], [3.0, 4.0]]), counts_P=np.array([2.0, 4.0]))
OTHER = Graded(sums_SP=np.array([[1.0, 1.0], [1.0, 1.0]]), counts_P=np.array([2.0, 4.0]))


def test_a_comparison_by_hand() -> None:
    found = contrast(ONE, OTHER)
    assert found.difference == pytest.approx(5 / 6 - 2 / 6)  # seeds have 3/6 and 7/6, against 2/6 and 2/6
    of_seeds = ((7 / 6 - 3 / 6) ** 2 / 2) / 2
    residuals = [(2 - 1) - 0.5 * 2, (3 - 1) - 0.5 * 4]  # both 0
    assert residuals == [0.0, 0.0]
    assert found.error == pytest.approx(math.sqrt(of_seeds))
    assert found.freedom == pytest.approx(1.0)


def test_seeds_that_agree_leave_what_pictures_leave() -> None:
    rng = np.random.default_rng(0)
    gains = rng.normal(0.1, 0.3, size=40)
    one = Graded(sums_SP=np.stack([0.5 + gains] * 3), counts_P=np.ones(40))
    other = Graded(sums_SP=np.full((3, 40), 0.5), counts_P=np.ones(40))
    theirs = scipy.stats.ttest_1samp(gains, 0.0)
    found = contrast(one, other)
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert found.interval()[1:] == pytest.approx(tuple(theirs.confidence_interval(0.95)))


def test_pictures_that_agree_leave_welchs_test_of_seeds() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(0.8, 0.02, size=6), rng.normal(0.77, 0.05, size=4)
    one, other = (
        Graded(sums_SP=np.repeat(values[:, None], 30, axis=1), counts_P=np.ones(30)) for values in (ours, theirs)
    )
    found, welch = contrast(one, other), scipy.stats.ttest_ind(ours, theirs, equal_var=False)
    assert (found.p_value, found.freedom) == pytest.approx((welch.pvalue, welch.df))


def drawn(
    rng: np.random.Generator, *, shift: float, seeds: int, pictures: int, seed_sd: float = 0.02
) -> tuple[Graded, Graded]:
    """Draw two variants' points: pictures of unlike difficulty, to each in its way, seeds, and right or wrong."""
    hard_P = rng.normal(0.0, 0.12, size=pictures)
    graded = []
    for mean in (0.55 + shift, 0.55):  # far from 0 and 1, which would take from the shift
        share_SP = mean + hard_P + rng.normal(0, 0.08, size=pictures) + rng.normal(0, seed_sd, size=(seeds, 1))
        right_SP = rng.binomial(4, np.clip(share_SP, 0, 1)).astype(float)
        graded.append(Graded(sums_SP=right_SP, counts_P=np.full(pictures, 4.0)))
    return graded[0], graded[1]


def test_intervals_hold_the_truth_and_equivalence_is_rarely_wrong() -> None:
    rng, held, wrong = np.random.default_rng(2), 0, 0
    for _ in range(600):
        found = contrast(*drawn(rng, shift=0.0, seeds=6, pictures=150))
        interval = found.interval()
        held += interval.low <= 0.0 <= interval.high
        wrong += found.excluded < 0.0
    assert 0.93 * 600 <= held <= 0.995 * 600
    assert wrong == 0


def test_what_is_excluded_is_rarely_smaller_than_the_truth() -> None:
    rng = np.random.default_rng(3)
    missed = sum(contrast(*drawn(rng, shift=0.03, seeds=6, pictures=150)).excluded < 0.03 for _ in range(600))
    assert missed <= 0.065 * 600


def test_without_any_spread_a_difference_is_certain_and_none_is_none() -> None:
    assert Contrast(difference=0.1, error=0.0, freedom=math.inf).p_value == 0.0
    assert Contrast(difference=0.0, error=0.0, freedom=math.inf).p_value == 1.0


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="the same questions, got 6 and 5; score both on the same pictures"):
        contrast(ONE, Graded(sums_SP=OTHER.sums_SP, counts_P=np.array([2.0, 3.0])))
    with pytest.raises(ValueError, match="two seeds or more, got 2 and 1; train more"):
        contrast(ONE, Graded(sums_SP=OTHER.sums_SP[:1], counts_P=OTHER.counts_P))


def test_points_are_read_where_all_twins_tell_those_of_the_same_questions() -> None:
    told: list[dict[str, Any]] = [
        {"points": {"sums": [1, 0.5], "counts": [2, 1]}},
        {"points": {"sums": [2, 1], "counts": [2, 1]}},
    ]
    found = graded_of(told)
    assert found is not None
    assert (found.sums_SP.tolist(), found.counts_P.tolist()) == ([[1.0, 0.5], [2.0, 1.0]], [2.0, 1.0])
    assert graded_of([*told, dict[str, Any]()]) is None
    assert graded_of([*told, {"points": {"sums": [1, 1], "counts": [1, 2]}}]) is None


def resampled(rng: np.random.Generator, one: Graded, other: Graded, *, draws: int = 300) -> tuple[float, float]:
    """Return the percentile interval of the difference, seeds of each and pictures of both drawn anew (Efron 1979)."""
    differences = []
    for _ in range(draws):
        pictures = rng.integers(0, len(one.counts_P), len(one.counts_P))
        means = [
            graded.sums_SP[rng.integers(0, len(graded.sums_SP), len(graded.sums_SP))][:, pictures].sum()
            / (len(graded.sums_SP) * graded.counts_P[pictures].sum())
            for graded in (one, other)
        ]
        differences.append(means[0] - means[1])
    low, high = np.quantile(differences, (0.025, 0.975))
    return float(low), float(high)


@pytest.mark.long
@pytest.mark.parametrize(("seeds", "pictures"), [(3, 150), (6, 150), (10, 600)])
def test_intervals_hold_a_known_difference_as_often_as_they_say(seeds: int, pictures: int) -> None:
    """Draws are of pictures, seeds and answers; 800 of them tell a coverage of 95 % to two points either way."""
    rng, runs, held = np.random.default_rng(seeds), 800, 0
    for _ in range(runs):
        interval = contrast(*drawn(rng, shift=0.03, seeds=seeds, pictures=pictures)).interval()
        held += interval.low <= 0.03 <= interval.high
    assert 0.93 <= held / runs <= 0.995


@pytest.mark.long
def test_a_difference_of_five_points_is_found_and_the_bootstrap_agrees_where_seeds_are_many() -> None:
    rng, found, widths = np.random.default_rng(9), 0, []
    for _ in range(40):
        pair = drawn(rng, shift=0.05, seeds=20, pictures=300)
        interval = contrast(*pair).interval()
        low, high = resampled(rng, *pair)
        found += interval.low > 0 and low > 0
        widths.append((interval.high - interval.low) / (high - low))
    assert found >= 0.95 * 40
    assert 0.9 <= np.mean(widths) <= 1.15


@pytest.mark.long
def test_of_three_seeds_the_bootstrap_holds_the_truth_too_rarely() -> None:
    """Why the analysis is Student's: of three seeds that lie apart, draws spread by less than three new ones do."""
    rng, held = np.random.default_rng(7), np.zeros(2)
    for _ in range(200):
        pair = drawn(rng, shift=0.0, seeds=3, pictures=150, seed_sd=0.08)
        interval = contrast(*pair).interval()
        low, high = resampled(rng, *pair, draws=120)
        held += [interval.low <= 0 <= interval.high, low <= 0 <= high]
    assert held[0] >= 0.92 * 200
    assert held[1] <= 0.90 * 200
