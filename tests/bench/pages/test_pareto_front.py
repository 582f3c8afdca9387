"""The front: standings, ties and steps against the plain definition, and what is never ranked together."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.gate.stats import Interval
from bench.pages.pareto.front import Standing, place, steps
from bench.pages.pareto.points import AXES, Point
from tests.bench.pages.sample_points import around, point

AXIS = AXES[0]


def test_a_point_is_dominated_only_where_both_intervals_separate() -> None:
    best = point("best", around(0.8, 0.02), around(100, 5))
    clearly = point("clearly", around(0.7, 0.02), around(80, 5))
    in_accuracy = point("in accuracy", around(0.7, 0.02), around(95, 5))
    in_speed = point("in speed", around(0.79, 0.02), around(80, 5))
    faster = point("faster", around(0.5, 0.02), around(200, 5))
    placed = {one.point.series: one for one in place([best, clearly, in_accuracy, in_speed, faster], AXIS)}
    assert {name: one.standing for name, one in placed.items()} == {
        "best": Standing.FRONT, "clearly": Standing.DOMINATED, "in accuracy": Standing.OPEN,
        "in speed": Standing.OPEN, "faster": Standing.FRONT,
    }  # fmt: skip
    assert placed["clearly"].rival is best
    assert placed["best"].rival is None


def test_a_variant_of_one_seed_is_not_ranked_among_those_of_several() -> None:
    good, bad = point("good", around(0.8, 0.01), around(100, 5)), point("bad", around(0.5, 0.01), around(80, 5))
    assert place([good, bad], AXIS)[1].standing is Standing.DOMINATED
    once = replace(good, accuracy_by_seed={0: good.accuracy})
    assert [one.standing for one in place([once, bad], AXIS)] == [Standing.UNRANKED, Standing.FRONT]
    assert [[one.point for one in front] for front in steps(place([once, bad], AXIS))] == [[bad]]
    both_once = [once, replace(bad, accuracy_by_seed={0: bad.accuracy})]  # alike: their order is shown
    assert [one.standing for one in place(both_once, AXIS)] == [Standing.FRONT, Standing.DOMINATED]
    supplied = replace(once, tier="supplied")  # one checkpoint, which stands for itself
    assert place([supplied, replace(bad, tier="supplied")], AXIS)[1].standing is Standing.DOMINATED


def test_equal_points_are_both_on_the_front() -> None:
    twins = [point(name, around(0.5, 0.1), around(10, 1)) for name in "ab"]
    assert [one.standing for one in place(twins, AXIS)] == [Standing.FRONT] * 2


@st.composite
def several_points(draw: st.DrawFn) -> list[Point]:
    numbers = st.tuples(st.integers(0, 20), st.integers(0, 4), st.integers(1, 20), st.integers(0, 4))
    drawn = draw(st.lists(numbers, min_size=1, max_size=8))
    return [
        point(str(i), around(a / 20, da / 20), Interval(r, max(0.1, r - dr), r + dr))
        for i, (a, da, r, dr) in enumerate(drawn)
    ]


@settings(max_examples=150, deadline=None)
@given(several_points(), st.floats(0.5, 25))
def test_standings_and_picks_are_what_their_definitions_say(points: list[Point], needed: float) -> None:
    placed = place(points, AXIS)
    pairs_of = [(p.accuracy.estimate, p.throughput[AXIS].estimate) for p in points]
    for (mine, speed), one in zip(pairs_of, placed, strict=True):
        ahead = [True for a, r in pairs_of if a >= mine and r >= speed and (a, r) != (mine, speed)]
        assert (one.standing is Standing.FRONT) == (not ahead)
        apart = [p for p in points if p.accuracy.low > one.point.accuracy.high
                 and p.throughput[AXIS].low > one.point.throughput[AXIS].high]  # fmt: skip
        assert (one.standing is Standing.DOMINATED) == bool(apart)
    fast_enough = [accuracy for accuracy, speed in pairs_of if speed >= needed]
    (front,) = steps(placed)
    chosen = next((one for one in front if one.rate.estimate >= needed), None)
    assert (chosen.point.accuracy.estimate if chosen else None) == (max(fast_enough) if fast_enough else None)


def test_ties_are_as_fast_and_overlap_in_accuracy_fastest_first() -> None:
    slow = point("slow", around(0.8, 0.05), around(10, 1))
    near, nearer = (point(name, around(0.75, 0.02), around(rate, 1)) for name, rate in (("near", 20), ("nearer", 30)))
    worse = point("worse", around(0.5, 0.02), around(40, 1))
    placed = place([slow, near, nearer, worse], AXIS)
    assert (placed[0].standing, placed[0].ties) == (Standing.FRONT, (nearer, near))


def test_twins_of_one_shape_rank_as_equally_fast() -> None:
    """Their throughputs differ by noise: the less accurate is behind, and the front steps at the mean of both rates."""
    shape = {"num_parameters": 2e6, "num_active_parameters": 1e6}
    plain = point("plain", around(0.8, 0.02), around(90, 5), **shape)
    smoes = point("smoes", around(0.79, 0.02), around(100, 5), **shape)
    dense = point("dense", around(0.7, 0.02), around(110, 5))
    placed = place([plain, smoes, dense], AXIS)
    assert [one.standing for one in placed] == [Standing.FRONT, Standing.OPEN, Standing.FRONT]
    assert placed[1].rival is plain
    ((first, second),) = steps(placed)
    assert (first.rate.estimate, first.point, first.ties) == (pytest.approx(math.sqrt(90 * 100)), plain, (smoes,))
    assert second.point is dense
    worse = replace(smoes, accuracy=around(0.7, 0.02))  # as fast, and less accurate for certain
    assert place([plain, worse], AXIS)[1].standing is Standing.DOMINATED
    supplied = [replace(one, tier="supplied") for one in (plain, smoes)]  # answers of other lengths take other times
    assert [one.standing for one in place(supplied, AXIS)] == [Standing.FRONT] * 2
    larger = [plain, replace(smoes, size="medium")]
    assert [one.standing for one in place(larger, AXIS)] == [Standing.FRONT] * 2


def test_measured_and_predicted_throughputs_have_a_front_each() -> None:
    """The floor of a model that nobody ran neither dominates a measured one nor is picked over it."""
    measured = point("measured", around(0.7, 0.01), around(10, 1))
    bound, slower = (
        point(name, around(0.8, 0.01), around(rate, 1), basis="predicted") for name, rate in (("bound", 90), ("s", 50))
    )
    placed = place([measured, bound, slower], AXIS)
    assert [one.standing for one in placed] == [Standing.FRONT, Standing.FRONT, Standing.OPEN]
    assert [[one.point for one in front] for front in steps(placed)] == [[measured], [bound]]
