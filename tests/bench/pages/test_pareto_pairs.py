"""Pairs: by seed on the same samples, as the document names them, and never of two bases."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy

from bench.contrasts import Contrast, holm
from bench.gate.stats import Interval
from bench.pages.pareto.documents import read_tiers
from bench.pages.pareto.pairs import Pair, judged_together, pairs
from bench.pages.pareto.points import AXES
from tests.bench.pages.sample_points import around, point
from tests.bench.pages.sample_twins import document, entry

AXIS = AXES[0]


def test_a_ratio_of_a_measured_and_a_predicted_throughput_is_no_speedup() -> None:
    moe = point("Molmo", around(0.7, 0.01), around(10, 1), tier="published", size="E", kind="moe",
                compared_with=("D",))  # fmt: skip
    for basis, compares in (("measured", True), ("predicted", False)):
        (pair,) = pairs(
            [moe, point("Molmo", around(0.7, 0.01), around(5, 1), tier="published", size="D", basis=basis)], AXIS
        )
        assert (pair.speedup is not None) == compares


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
    assert against_dense.speedup is not None
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


def test_a_difference_of_two_seeds_that_disagree_stays_within_one() -> None:
    """Student's factor of two seeds is 12.7: half-widths of 10 for differences of -0.8 and 0.8."""
    by_seed = {0: around(0.1, 0.01), 1: around(0.9, 0.01)}
    turned = {0: by_seed[1], 1: by_seed[0]}
    moe, dense = (
        point(name, around(0.5, 0.5), around(10, 1), kind=kind, accuracy_by_seed=seeds)
        for name, kind, seeds in (("plain", "moe", by_seed), ("dense", "dense", turned))
    )
    (pair,) = pairs([moe, dense], AXIS)
    assert pair.difference == pytest.approx((0.0, -1.0, 1.0))


def graded(series: str, seed: int, right: list[int], **fields: object) -> dict[str, Any]:
    """Return an entry that tells how many of each picture's two questions were answered."""
    points = {"sums": right, "counts": [2] * len(right)}
    return {**entry(series, seed, sum(right) / (2 * len(right)), 100), "points": points, **fields}


def test_twins_that_tell_their_points_are_compared_over_seeds_and_pictures_and_all_together(tmp_path: Path) -> None:
    twins = [
        *(graded("dense", seed, [1, 1, 1, 0, 1, 1, seed % 2, 1]) for seed in range(3)),
        *(graded("plain", seed, [2, 2, 2, 1, 2, 2, 2 - seed % 2, 2]) for seed in range(3)),
        *(graded("smoes-attention", seed, [2, 2, 1, 2, 2, 2, 1 + seed % 2, 2]) for seed in range(3)),
    ]
    found = judged_together(pairs(read_tiers([document(tmp_path, twins)])["measured"].points, AXIS))
    by_name = {(pair.point.series, pair.against.series): pair for pair in found}
    ours, theirs = (np.array([twin["points"]["sums"] for twin in twins if twin["variant"] == name], dtype=float)
                    for name in ("plain", "dense"))  # fmt: skip
    gains_P = (ours.mean(axis=0) - theirs.mean(axis=0)) / 2
    errors = [np.var(some.mean(axis=1) / 2, ddof=1) / 3 for some in (ours, theirs)]
    won = by_name["plain", "dense"]
    assert won.difference.estimate == pytest.approx(gains_P.mean())
    assert won.contrast is not None
    assert won.contrast.error == pytest.approx(math.sqrt(sum(errors) + np.var(gains_P, ddof=1) / 8))
    assert won.outcome == "wins"
    same = by_name["smoes-attention", "plain"]
    assert same.outcome == "open"
    assert same.contrast is not None
    assert same.contrast.excluded > abs(same.difference.estimate)
    assert [pair.p_value for pair in found] == pytest.approx(
        holm([pair.contrast.p_value for pair in found if pair.contrast])
    )


def test_a_difference_that_all_together_leave_open_is_open() -> None:
    """Its own interval leaves out 0; as the worst of two its p is twice as large."""
    moe, dense = (point(name, around(0.5, 0.1), around(10, 1), kind=name) for name in ("moe", "dense"))
    told = Contrast(difference=0.022, error=0.01, freedom=1000.0)
    one = Pair(point=moe, against=dense, difference=told.interval(), num_seeds=2, speedup=None, contrast=told)
    other = replace(one, contrast=Contrast(difference=0.03, error=0.01, freedom=1000.0))
    assert replace(one, p_value=told.p_value).outcome == "wins"
    assert [pair.outcome for pair in judged_together([one, other, one])] == ["open", "wins", "open"]
    assert judged_together([replace(one, contrast=None)])[0].p_value is None


def test_one_seed_or_other_pictures_are_compared_as_without_points(tmp_path: Path) -> None:
    twins = [graded("dense", 0, [1, 2]), graded("plain", 0, [2, 1])]
    (pair,) = pairs(read_tiers([document(tmp_path, twins)])["measured"].points, AXIS)
    assert (pair.contrast, pair.outcome) == (None, "one seed")
    apart = [
        *(graded("dense", seed, [1, 2]) for seed in (0, 1)),
        *(graded("plain", seed, [2, 2, 1]) for seed in (0, 1)),
    ]
    (pair,) = pairs(read_tiers([document(tmp_path, apart)])["measured"].points, AXIS)
    assert pair.contrast is None


def test_twins_of_a_size_are_each_compared_with_each_once(tmp_path: Path) -> None:
    names = ("smoes-gaussian", "plain", "smoes-attention", "dense_active", "dense")
    twins = [entry(name, seed, 0.6) for name in names for seed in (0, 1)]
    twins += [{**twin, "size": "medium"} for twin in twins[:2]]
    found = pairs(read_tiers([document(tmp_path, twins)])["measured"].points, AXIS)
    assert sorted((pair.point.series, pair.against.series) for pair in found) == [
        ("dense_active", "dense"),
        ("plain", "dense"),
        ("plain", "dense_active"),
        *(("smoes-attention", other) for other in ("dense", "dense_active", "plain")),
        *(("smoes-gaussian", other) for other in ("dense", "dense_active", "plain", "smoes-attention")),
    ]


def test_p_values_hold_over_the_pairs_of_a_task() -> None:
    told = Contrast(difference=0.022, error=0.01, freedom=1000.0)
    pair_of = {
        task: Pair(
            point=point("moe", around(0.5, 0.1), around(10, 1), kind="moe", task=task),
            against=point("dense", around(0.5, 0.1), around(10, 1), task=task),
            difference=told.interval(),
            num_seeds=2,
            speedup=None,
            contrast=told,
        )
        for task in ("charts", "documents")
    }
    assert [pair.outcome for pair in judged_together(list(pair_of.values()))] == ["wins", "wins"]
    both = judged_together([pair_of["charts"], pair_of["charts"], pair_of["documents"]])
    assert [pair.p_value for pair in both] == pytest.approx([2 * told.p_value, 2 * told.p_value, told.p_value])


def test_what_is_excluded_without_points_lies_beyond_the_interval_and_of_a_convention_nothing_is() -> None:
    moe, dense = (point(name, around(0.5, 0.1), around(10, 1), kind=name) for name in ("moe", "dense"))
    pair = Pair(point=moe, against=dense, difference=Interval(0.01, -0.03, 0.05), num_seeds=2, speedup=None)
    assert pair.excluded == 0.05
    told = Contrast(difference=0.01, error=0.02, freedom=20.0)
    assert replace(pair, contrast=told).excluded == pytest.approx(0.01 + scipy.stats.t.ppf(0.95, 20) * 0.02)
    once = replace(moe, accuracy_by_seed={0: moe.accuracy})
    assert replace(pair, point=once).excluded is None
    assert replace(pair, point=replace(moe, tier="published")).excluded is None


def test_seeds_that_began_to_look_are_compared_beside_all(tmp_path: Path) -> None:
    """Of plain's four seeds one never began; the points of dense, which all tell too, stay."""
    twins = [
        *(graded("dense", seed, [1, 1, 1, seed % 2], transition=700) for seed in range(3)),
        *(graded("plain", seed, [2, 2, 1, seed % 2], transition=900) for seed in range(3)),
        graded("plain", 3, [1, 0, 0, 0], transition=None),
    ]
    (pair,) = pairs(read_tiers([document(tmp_path, twins)])["measured"].points, AXIS)
    assert pair.finished is not None
    assert pair.finished.difference == pytest.approx((5 + 1 / 3) / 8 - (3 + 1 / 3) / 8)
    assert pair.difference.estimate == pytest.approx((5 * 3 + 1 + 1) / 32 - (3 + 1 / 3) / 8)
    assert pair.point.num_unfinished == 1
    untold = [{name: value for name, value in twin.items() if name != "transition"} for twin in twins]
    (pair,) = pairs(read_tiers([document(tmp_path, untold)])["measured"].points, AXIS)
    assert (pair.finished, pair.point.num_unfinished) == (None, 0)
