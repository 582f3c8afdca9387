"""Tests of extrapolating from a few layers to the whole model."""

import pytest

from bench.harness.record import Scenario
from bench.pages.extrapolate import (
    EXTRAPOLATION_HEADERS,
    Extrapolation,
    extrapolation_rows,
    extrapolations,
    fit,
    full_depth_id,
)
from tests.bench.sample_records import record_of, scenario

FULL_DEPTHS = {"full_depth_moe": 32, "full_depth_dense": 48}  # of the arms' own models


def at_depth(depth: int, seconds: float, name: str = "bench_decode[7b@{}-b1]") -> Scenario:
    times = {"moe": [seconds] * 3, "dense": [2 * seconds] * 3, "anchor": [0.1] * 3}
    return scenario(times, name=name.format(depth), facts={"depth": depth, **FULL_DEPTHS})


def test_a_straight_line_is_met_exactly() -> None:
    line, error = fit({1: 3.0, 2: 5.0, 4: 9.0})
    assert (line.at(32), error) == (65.0, 0.0)  # 1 + 2 * 32


def test_the_error_is_that_at_the_depth_which_did_not_carry_the_line() -> None:
    line, error = fit({1: 3.0, 2: 4.0, 4: 9.0})
    assert line.at(4) == 9.0
    assert error == pytest.approx(5.0 / 4.0 - 1)


def test_of_several_depths_between_the_worst_error_is_shown() -> None:
    _, error = fit({1: 1.0, 2: 2.0, 3: 2.0, 5: 5.0})
    assert error == pytest.approx(0.5)


def test_two_depths_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"needs 3 depths, got \[1, 4\]; give --depth 1,2,4"):
        fit({4: 1.0, 1: 1.0})


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


def test_rows_say_that_it_is_extrapolated_and_how_far_off_the_check_is() -> None:
    rows = extrapolation_rows([Extrapolation("s", "moe", "ttft_s", (1, 2, 4), 32, 0.5, 0.034)])
    assert rows == [("s", "moe", "500 ms at 32 layers", "1, 2, 4", "3.4 %")]
    assert len(rows[0]) == len(EXTRAPOLATION_HEADERS)
    assert "extrapolated" in EXTRAPOLATION_HEADERS[0]
