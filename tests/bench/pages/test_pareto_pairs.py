"""Pairs: by seed on the same samples, as the document names them, and never of two bases."""

import math
from pathlib import Path

import pytest

from bench.pages.pareto.documents import read_tiers
from bench.pages.pareto.pairs import pairs
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
