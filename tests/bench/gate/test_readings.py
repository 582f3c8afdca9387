"""Tests of readings: many scenarios at once read as each by itself, by plain loops, and no launch is read twice."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from bench.gate import judging_groups, readings
from bench.gate.comparison import judge_all
from bench.gate.controls import controls_of
from bench.gate.judging_groups import judge_groups
from bench.gate.readings import read_all, reading_of
from bench.gate.stats import Floats, centre_variances
from bench.gate.verdict import Control
from bench.harness.record import Record, Scenario
from tests.bench.large_records import large_document
from tests.bench.sample_records import opened_baseline, scenario


def scenarios_of(number: int, launches: int = 1, seed: int = 0) -> list[Scenario]:
    made = large_document(scenarios=number, launches=launches, blocks=5, seed=seed)
    return list(Record.from_document(made).scenarios.values())


def slow_centre(logs: Sequence[float]) -> float:
    return statistics.median([(a + b) / 2 for i, a in enumerate(logs) for b in logs[i:]])


def slow_variance(logs: Sequence[float]) -> float:
    deviations = [abs(value - statistics.median(logs)) for value in logs]
    return math.pi / 2 * (1.4826 * statistics.median(deviations)) ** 2 / len(logs)


def test_scenarios_of_unlike_lengths_read_at_once_say_what_plain_loops_say() -> None:
    counted = scenario({"moe": 3.0, "dense": 6.0}, name="bench_count[x]")
    mixed = scenario({"moe": [1.0, 2.0], "dense": [2.0, 1.0]}, {"moe": [1.0, 2.0, 9.0], "dense": [2.0, 2.0, 2.0]})
    found = [*scenarios_of(3, launches=2), counted, mixed]
    read_all(found)
    for one in found:
        for control in controls_of(one):
            pairs = zip(
                one.arms[control.arm].launches,
                one.arms[control.against].launches if control.against else [None] * len(one.launch_ids),
                strict=True,
            )
            logs = [
                [math.log(a / b) for a, b in zip(above.samples, below.samples if below else [1.0] * 99, strict=False)]
                for above, below in pairs
            ]
            said = reading_of(one, control)
            assert said.values == pytest.approx(list(map(slow_centre, logs)))
            assert said.variances == pytest.approx(list(map(slow_variance, logs)), abs=1e-12)


def test_a_launch_whose_blocks_were_all_voided_has_no_centre() -> None:
    empty = scenario({"moe": [], "dense": [], "anchor": []}, voided=3)
    said = reading_of(empty, Control(arm="moe", against="dense"))
    assert math.isnan(said.values[0])
    assert math.isnan(said.variances[0])


def test_the_launches_that_all_of_a_group_have_are_counted_once_a_control_and_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[int] = []

    def counting(values: Iterable[int]) -> int:
        counted.append(least := min(values))
        return least

    monkeypatch.setattr(judging_groups, "min", counting, raising=False)
    run = {one.id: one for one in scenarios_of(40, seed=1)}
    opened = opened_baseline(*scenarios_of(40, launches=3))
    _, opened = judge_all(run, opened)
    assert list(judge_groups(run, opened, opened.groups)) == ["suite"]
    assert len(counted) == 2 + 2 * 3  # of the group's own launches, then of each control's on either side


def test_a_comparison_reads_every_launch_of_every_control_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []

    def counting(logs: Floats) -> Floats:
        rows.append(len(logs))
        return centre_variances(logs)

    monkeypatch.setattr(readings, "centre_variances", counting)
    run = {one.id: one for one in scenarios_of(40, seed=1)}
    opened = opened_baseline(*scenarios_of(40, launches=3))
    _, opened = judge_all(run, replace(opened, same_fingerprint=True))
    judge_groups(run, opened, opened.groups)
    assert rows == [40 * 3 * 3, 40 * 3]  # the baseline's launches of three controls, then the run's, in one go each
