"""Tests of what a record's slices tell of whole models: which arms and scenarios, and how rows show them."""

import pytest

from bench.harness.record import Scenario
from bench.pages.extrapolate import (
    EXTRAPOLATION_HEADERS,
    Extrapolation,
    extrapolation_rows,
    extrapolations,
    full_depth_id,
    whole_id,
)
from tests.bench.sample_records import record_of, scenario

FULL_DEPTHS = {"full_depth_moe": 32, "full_depth_dense": 48}  # of the arms' own models


def at_depth(depth: int, seconds: float, name: str = "bench_decode[7b@{}-b1]") -> Scenario:
    times = {"moe": [seconds] * 3, "dense": [2 * seconds] * 3, "anchor": [0.1] * 3}
    return scenario(times, name=name.format(depth), facts={"depth": depth, **FULL_DEPTHS})


def test_each_arm_but_the_anchor_is_extrapolated() -> None:
    record = record_of(*(at_depth(depth, 0.010 + 0.002 * depth) for depth in (4, 1, 2)))
    found = extrapolations(record)
    assert [(e.scenario, e.arm, e.depths, e.full_depth) for e in found] == [
        ("bench_decode[7b-b1]", "moe", (1, 2, 4), 32),
        ("bench_decode[7b-b1]", "dense", (1, 2, 4), 48),
    ]
    assert [e.value for e in found] == pytest.approx([0.010 + 0.002 * 32, 0.020 + 0.004 * 48])
    assert [e.check_error for e in found] == pytest.approx([0.0, 0.0])


def test_too_few_depths_and_whole_models_are_left_out() -> None:
    record = record_of(at_depth(1, 0.1), at_depth(2, 0.2), scenario({"moe": [1.0], "anchor": [1.0]}, name="whole"))
    assert extrapolations(record) == []


def test_scenarios_of_other_sizes_do_not_mix() -> None:
    other = [at_depth(depth, 1.0, name="bench_decode[7b@{}-b8]") for depth in (1, 2)]
    assert extrapolations(record_of(at_depth(4, 1.0), *other)) == []


def test_only_the_depth_leaves_the_id() -> None:
    assert full_depth_id("bench_x[34b@4-mmmu-b1]") == "bench_x[34b-mmmu-b1]"
    assert full_depth_id("bench_x[34b-mmmu-b1]") == "bench_x[34b-mmmu-b1]"
    recycled = ("bench_x[34b@of4-mmmu-b1]", "bench_x[34b@16of4-mmmu-b1]", "34b@of4")
    assert tuple(map(full_depth_id, recycled)) == recycled
    whole = ("bench_x[34b-mmmu-b1]", "bench_x[34b-mmmu-b1]", "34b")
    assert tuple(map(whole_id, recycled)) == whole == tuple(map(whole_id, whole))


def test_rows_say_that_it_is_extrapolated_and_how_far_off_the_check_is() -> None:
    rows = extrapolation_rows([Extrapolation("s", "moe", "ttft_s", (1, 2, 4), 32, 0.5, 0.034)])
    assert rows == [("s", "moe", "500 ms at 32 layers", "1, 2, 4", "3.4 %")]
    assert len(rows[0]) == len(EXTRAPOLATION_HEADERS)
    assert "extrapolated" in EXTRAPOLATION_HEADERS[0]
