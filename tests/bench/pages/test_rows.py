"""Tests of the rows that people read of a run."""

import math
from typing import Any

import pytest

from bench.gate.shares import facts_of
from bench.gate.stats import Interval
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.memory import BUILT
from bench.pages.rows import group_rows, percentile_rows, rows_of
from tests.bench.sample_records import record_of, scenario
from tests.bench.sample_verdicts import NAME, change, said_of

SAMPLES = {"moe": [0.002] * 6, "dense": [0.004] * 6, "anchor": [0.001] * 6}
# At peaks of 1e9 a second: 50 % and 25 % of 2 ms; apart, 0.75 ms of FLOPs and 0.375 ms of bytes are 56.25 %.
COSTS = {"flops": 1e6, "bytes": 0.5e6, "parts": [[0.75e6, 0.125e6], [0.25e6, 0.375e6]]}


def rows(*, verdict: ScenarioVerdict | None = None, samples: Any = SAMPLES, **fields: Any) -> list[tuple[str, ...]]:
    record = record_of(scenario(samples, **fields))
    return [row.cells() for row in rows_of(record, {NAME: verdict} if verdict else {})]


def test_a_row_holds_both_arms_their_ratio_and_the_distance_to_the_floor() -> None:
    (row,) = rows(rates={"output_tok_per_s": 8.0}, cost=COSTS)
    assert row == (
        NAME,
        "2.00 ms · 4,000 tok/s",
        "dense",
        "4.00 ms · 2,000 tok/s",
        "2.00x [2.00, 2.00]",
        "50 / 25 %",
        "25 / 12 %",
        "56 / 28 %",
        "",
        "",
    )


def test_the_speed_up_is_the_median_over_blocks_with_its_interval() -> None:
    (row,) = rows(samples={**SAMPLES, "dense": [0.002, 0.004, 0.004, 0.004, 0.004, 0.008]})
    assert row[4] == "2.00x [1.00, 4.00]"


def test_what_is_counted_has_a_ratio_without_an_interval() -> None:
    (row,) = rows(samples={"moe": 2.0**20, "dense": 1.5 * 2**20}, metric="peak_bytes")
    assert row[:5] == (NAME, "1.00 MiB", "dense", "1.50 MiB", "1.50x")


def test_memory_kept_by_the_first_call_stands_beside_what_was_built() -> None:
    facts = {BUILT.format(arm="moe"): 2.0**20, BUILT.format(arm="dense"): 2.0**20}
    (row,) = rows(samples={"moe": 1.5 * 2**20, "dense": 2.0**20}, metric="kept_bytes", facts=facts)
    assert row[1:5] == ("1.50 MiB · 1.00 MiB built", "dense", "1.00 MiB", "0.67x")


def test_an_accuracy_has_the_interval_of_its_questions_and_a_difference_in_points() -> None:
    levels = {"moe": Interval(0.8, 0.7, 0.9), "dense": Interval(0.625, 0.571, 0.677)}
    facts = facts_of(levels, {"dense": Interval(-0.175, -0.25, -0.1)})
    (row,) = rows(samples={"moe": 0.8, "dense": 0.625}, metric="accuracy", facts=facts)
    assert row[1:5] == ("80.0 % [70.0, 90.0]", "dense", "62.5 % [57.1, 67.7]", "-17.5 points [-25.0, -10.0]")


def test_an_accuracy_of_an_older_record_is_told_in_points_without_an_interval() -> None:
    (row,) = rows(samples={"moe": 0.8, "dense": 0.625}, metric="accuracy")
    assert row[1:5] == ("80.0 %", "dense", "62.5 %", "-17.5 points")


def test_each_other_arm_has_a_line_and_the_scenario_is_named_once() -> None:
    first, second = rows(samples={**SAMPLES, "dense_active": [0.001] * 6}, verdict=said_of(Verdict.OK))
    assert (first[0], first[2], first[9]) == (NAME, "dense", "OK")
    assert (second[0], second[1], second[2], second[4], second[9]) == ("", "", "dense_active", "0.50x [0.50, 0.50]", "")


def test_a_scenario_of_one_arm_has_a_line_without_a_ratio() -> None:
    (row,) = rows(samples={"moe": [0.002] * 6, "anchor": [0.001] * 6}, cost=COSTS)
    assert row[:8] == (NAME, "2.00 ms", "", "", "", "50 %", "25 %", "56 %")


def test_work_recorded_without_parts_has_the_floor_of_one_part() -> None:
    (row,) = rows(cost={"flops": 1e6, "bytes": 0.5e6})
    assert row[5:8] == ("50 / 25 %", "25 / 12 %", "50 / 25 %")


def test_a_wrong_answer_has_a_line_without_figures() -> None:
    found = rows_of(record_of(scenario(SAMPLES), wrong={"bench_x[1]": "dense: got 0.3"}), {})
    assert [row.scenario for row in found] == [NAME, "bench_x[1]"]
    assert found[1].cells() == ("bench_x[1]", *[""] * 8, "WRONG")


def test_change_is_that_of_the_worst_control() -> None:
    calm = change(Verdict.OK, estimate=0.0)
    worst = change(Verdict.REGRESSED, arm="dense", against="anchor")
    (row,) = rows(verdict=said_of(Verdict.REGRESSED, calm, worst))
    assert row[8:] == ("dense/anchor +30.0 % [10 %]", "REGRESSED")


def test_groups_that_moved_or_are_open_have_a_line_below_the_scenarios_and_the_suite_always() -> None:
    slower, same = change(Verdict.REGRESSED, math.log(1.06)), change(Verdict.OK, 0.0)
    judged = [("decode at tiny", slower), ("prefill at tiny", same), ("suite", same)]
    groups = [ScenarioVerdict(scenario=name, verdict=one.verdict, changes=(one,)) for name, one in judged]
    assert [(row.scenario, row.change, row.verdict) for row in group_rows(groups)] == [
        ("all of decode at tiny", "moe/dense +6.0 % [10 %]", Verdict.REGRESSED),
        ("all of suite", "moe/dense +0.0 % [10 %]", Verdict.OK),
    ]


@pytest.mark.parametrize("cost", [None, COSTS])
def test_without_peaks_no_distance_is_shown(cost: dict[str, Any] | None) -> None:
    (row,) = rows_of(record_of(scenario(SAMPLES, cost=cost), peaks={}), {})
    assert (row.mfu, row.mbu, row.floor) == ("", "", "")


def test_many_times_have_percentiles_over_all_launches_and_few_have_none() -> None:
    halves = ([i / 1000 for i in range(1, 52)], [i / 1000 for i in range(52, 102)])
    launches = [{"moe": half, "dense": [0.001] * len(half), "anchor": [1.0] * len(half)} for half in halves]
    record = record_of(scenario(*launches), scenario(SAMPLES, name="bench_x[few]"))
    assert percentile_rows(record) == [
        (NAME, "moe", "101", "51.0 ms", "96.0 ms", "100 ms"),
        (NAME, "dense", "101", *["1.00 ms"] * 3),
    ]
