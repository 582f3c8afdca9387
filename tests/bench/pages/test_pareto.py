"""Points, front and pairs: joined intervals by hand and by simulation, standings against the plain definition."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.gate.stats import Interval
from bench.pages.pareto.comparisons import compared
from bench.pages.pareto.documents import read_tiers
from bench.pages.pareto.front import Standing, by_basis, picks, place
from bench.pages.pareto.pairs import pairs
from bench.pages.pareto.points import AXES, Point, joined, joined_rate, joined_share
from tests.bench.pages.sample_twins import MACHINE, document, entry

AXIS = AXES[0]


def point(name: str, accuracy: Interval, rate: Interval, **changes: Any) -> Point:
    fields: dict[str, Any] = {
        "tier": "measured", "task": "charts", "series": name, "size": "small", "kind": "dense",
        "num_parameters": 1e6 + int.from_bytes(name.encode()[:6]),  # a shape of its own
        "num_active_parameters": 1e6, "accuracy": accuracy, "throughput": dict.fromkeys(AXES, rate),
        "accuracy_by_seed": {0: accuracy, 1: accuracy},
    }  # fmt: skip
    return Point(**{**fields, **changes})


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
    assert [pick.point for pick in picks(place([once, bad], AXIS), AXIS)] == [bad]
    both_once = [once, replace(bad, accuracy_by_seed={0: bad.accuracy})]  # alike: their order is shown
    assert [one.standing for one in place(both_once, AXIS)] == [Standing.FRONT, Standing.DOMINATED]
    supplied = replace(once, tier="supplied")  # one checkpoint, which stands for itself
    assert place([supplied, replace(bad, tier="supplied")], AXIS)[1].standing is Standing.DOMINATED


def test_equal_points_are_both_on_the_front() -> None:
    twins = [point(name, around(0.5, 0.1), around(10, 1)) for name in "ab"]
    assert [one.standing for one in place(twins, AXIS)] == [Standing.FRONT] * 2


def test_tiers_and_tasks_are_never_mixed() -> None:
    one = point("a", around(0.5, 0.1), around(10, 1))
    for other in ({"tier": "published"}, {"task": "documents"}):
        with pytest.raises(ValueError, match="points of a front must be of one tier and one task, got measured charts"):
            place([one, point("b", around(0.5, 0.1), around(10, 1), **other)], AXIS)


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
    chosen = next((pick for pick in picks(placed, AXIS) if pick.up_to >= needed), None)
    assert (chosen.point.accuracy.estimate if chosen else None) == (max(fast_enough) if fast_enough else None)


def test_ties_are_as_fast_and_overlap_in_accuracy_fastest_first() -> None:
    slow = point("slow", around(0.8, 0.05), around(10, 1))
    near, nearer = (point(name, around(0.75, 0.02), around(rate, 1)) for name, rate in (("near", 20), ("nearer", 30)))
    worse = point("worse", around(0.5, 0.02), around(40, 1))
    first = picks(place([slow, near, nearer, worse], AXIS), AXIS)[0]
    assert (first.up_to, first.point) == (10, slow)
    assert first.ties == (nearer, near)


def test_twins_of_one_shape_rank_as_equally_fast() -> None:
    """Their throughputs differ by noise: the less accurate is behind, and the front steps at the mean of both rates."""
    shape = {"num_parameters": 2e6, "num_active_parameters": 1e6}
    plain = point("plain", around(0.8, 0.02), around(90, 5), **shape)
    smoes = point("smoes", around(0.79, 0.02), around(100, 5), **shape)
    dense = point("dense", around(0.7, 0.02), around(110, 5))
    placed = place([plain, smoes, dense], AXIS)
    assert [one.standing for one in placed] == [Standing.FRONT, Standing.OPEN, Standing.FRONT]
    assert placed[1].rival is plain
    first, second = picks(placed, AXIS)
    assert (first.up_to, first.point, first.ties) == (pytest.approx(math.sqrt(90 * 100)), plain, (smoes,))
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
    parts = by_basis(placed)
    assert {basis: [c.point for c in picks(part, AXIS)] for basis, part in parts.items()} == {
        "measured": [measured], "predicted": [bound],
    }  # fmt: skip


def test_a_ratio_of_a_measured_and_a_predicted_throughput_is_no_speedup() -> None:
    moe = point("Molmo", around(0.7, 0.01), around(10, 1), tier="published", size="E", kind="moe",
                compared_with=("D",))  # fmt: skip
    for basis, compares in (("measured", True), ("predicted", False)):
        (pair,) = pairs(
            [moe, point("Molmo", around(0.7, 0.01), around(5, 1), tier="published", size="D", basis=basis)], AXIS
        )
        assert (pair.speedup is not None) == compares


def test_pairs_are_worded_by_where_their_throughput_comes_from() -> None:
    moe, dense = (point("Molmo", around(0.7, 0.01), around(rate, 1), tier="published", size=size, kind=kind,
                        compared_with=other)
                  for rate, size, kind, other in ((10, "E", "moe", ("D",)), (5, "D", "dense", ())))  # fmt: skip
    predicted = [replace(one, basis="predicted") for one in (moe, dense)]
    both, floors, mixed = (pairs(of, AXIS) for of in ([moe, dense], predicted, [moe, predicted[1]]))
    assert "; measured 2.00 times the requests/s." in compared(both)
    assert "; by floors 2.00 times the requests/s." in compared(floors)
    assert "; one measured, one predicted: not compared on charts." in compared(mixed)


def test_a_plain_moe_of_a_publisher_is_never_smoes(tmp_path: Path) -> None:
    models = [{**entry("Qwen3-VL", 0, 0.5), "size": "30B-A3B"}]
    path = document(tmp_path, [], tier="published", models=models)
    assert read_tiers([path])["published"].points[0].kind == "moe"


def test_pairs_are_by_seed_with_the_paired_interval_against_dense(tmp_path: Path) -> None:
    paired = {"estimate": -0.1, "low": -0.11, "high": -0.09}
    twins = [
        one
        for seed in (0, 1)  # alike, so that what is joined is what one is
        for one in (entry("dense", seed, 0.6, 100), entry("plain", seed, 0.58, 200),
                    entry("smoes-attention", seed, 0.5, 150, minus_dense=paired))
    ]  # fmt: skip
    found = {
        (p.point.series, p.against.series): p
        for p in pairs(read_tiers([document(tmp_path, twins)])["measured"].points, AXIS)
    }
    assert set(found) == {("plain", "dense"), ("smoes-attention", "dense"), ("smoes-attention", "plain")}
    against_dense = found["smoes-attention", "dense"]
    assert against_dense.difference == pytest.approx((-0.1, -0.11, -0.09))
    assert against_dense.speedup.estimate == pytest.approx(1.5)
    half = math.hypot(0.02, 0.02)
    assert found["smoes-attention", "plain"].difference == pytest.approx((-0.08, -0.08 - half, -0.08 + half))
    assert [found[key].outcome for key in found] == ["open", "loses", "loses"]
    (once,) = pairs(read_tiers([document(tmp_path, twins[:2])])["measured"].points, AXIS)
    assert once.outcome == "one seed"
    apart = [entry("dense", 0, 0.6), entry("dense", 1, 0.6), entry("plain", 1, 0.5), entry("plain", 2, 0.5)]
    (in_common,) = pairs(read_tiers([document(tmp_path, apart)])["measured"].points, AXIS)
    assert (in_common.num_seeds, in_common.outcome) == (1, "one seed")


def test_published_pairs_are_those_that_the_document_names(tmp_path: Path) -> None:
    models = [{**entry("Molmo", 0, 0.5), "size": "E-1B", "num_active_parameters": 100, "compared_with": ["7B-O"]},
              {**entry("Molmo", 0, 0.6), "size": "7B-O", "num_active_parameters": 1000},
              {**entry("Molmo", 0, 0.6), "size": "7B-D", "num_active_parameters": 1000}]  # fmt: skip
    tier = read_tiers([document(tmp_path, [], tier="published", models=models)])["published"]
    assert [(pair.point.size, pair.against.size) for pair in pairs(tier.points, AXIS)] == [("E-1B", "7B-O")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema_version must be 1, got 2"),
        ({"tier": "guessed"}, "tier must be one of measured, published, supplied, got 'guessed'"),
        ({"twins": []}, "twins must hold at least one, got none"),
        ({"twins": [{"task": "charts"}]}, "one has no variant, size, num_parameters"),
    ],
)
def test_what_is_no_document_is_refused_by_name(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = document(tmp_path, [entry("dense", 0, 0.5)], **change)
    with pytest.raises(ValueError, match="twins.json must be a document of scored models, got: .*" + message):
        read_tiers([path])


def test_a_machine_that_does_not_say_what_it_is_is_refused(tmp_path: Path) -> None:
    path = document(tmp_path, [entry("dense", 0, 0.5)], machine={"os": "Linux"})
    with pytest.raises(ValueError, match=r"twins\.json must hold 'device_model', got a document without it"):
        read_tiers([path])


def test_other_json_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match="must hold 'schema_version'"):
        read_tiers([path])
    path.write_text("[1]")
    with pytest.raises(ValueError, match="must be a document of scored models"):
        read_tiers([path])


def test_two_machines_are_not_compared(tmp_path: Path) -> None:
    twins = [entry("dense", 0, 0.5)]
    paths = [document(tmp_path, twins), document(tmp_path, twins, "b.json", machine={**MACHINE, "device_model": "B"})]
    with pytest.raises(ValueError, match=r"measured documents must be of one machine, .* Acme, float32, 1 thread in"):
        read_tiers(paths)
