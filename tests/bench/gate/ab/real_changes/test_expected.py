"""What a run may say of a change: each kind of wrong answer is a fault, and the right one is none."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.bench.gate.ab.real_changes.expected import GateRun, faults, faults_when_busy, rows
from tests.bench.gate.ab.real_changes.table import RealChange

SLOWER = RealChange(
    name="slower",
    does="it is slower",
    verdicts=["REGRESSED"],
    code=10,
    cause="MoE",
    worse={"bench_decode.*b2": 20.0},
    touches="decode",
    runs="timed",
)
UNCHANGED = RealChange(name="same", does="it is the same", verdicts=["OK"], code=0, runs="never")
DECODE, PREFILL = "bench_decode[tiny-b2]", "bench_prefill[tiny-b2]"
RIGHT = GateRun(
    change="slower",
    mode="quiet",
    code=10,
    scenarios={"REGRESSED": [DECODE, "decode at tiny", "suite"], "OK": [PREFILL]},
    where={DECODE: "MoE"},
    undecided=[],
    seconds=1.0,
    load=[0.0, 0.0],
)
UNDECIDED = replace(
    RIGHT, code=11, scenarios={"INCONCLUSIVE": [DECODE]}, where={}, undecided=["needs 9 min more; raise --budget"]
)
SHARED = replace(SLOWER, cause="shared code")
SAME = replace(RIGHT, code=0, scenarios={"OK": [DECODE, PREFILL]}, where={})


@pytest.mark.parametrize("judge", [faults, faults_when_busy])
def test_a_slowdown_that_is_found_and_unchanged_code_that_is_ok_are_right(
    judge: Callable[[RealChange, GateRun], list[str]],
) -> None:
    assert judge(SLOWER, RIGHT) == []
    assert judge(UNCHANGED, SAME) == []
    assert judge(SHARED, replace(RIGHT, where={DECODE: "shared code", "decode at tiny": "MoE"})) == []


@pytest.mark.parametrize(
    ("change", "run", "why"),
    [
        (SLOWER, replace(RIGHT, code=0), "it must end 10, got 0"),
        (SLOWER, SAME, "it must say REGRESSED, got OK"),
        (SLOWER, SAME, f"{DECODE} is OK, which is worse by 20 %"),
        (SLOWER, replace(RIGHT, where={DECODE: "dense"}), f"{DECODE} is put down to dense, must be MoE"),
        (SLOWER, replace(RIGHT, where={DECODE: ""}), f"{DECODE} is put down to nothing, must be MoE"),
        (SHARED, replace(RIGHT, where={DECODE: "MoE"}), f"{DECODE} is put down to MoE, must be shared code"),
        (SHARED, replace(RIGHT, where={"suite": "machine"}), "suite is put down to machine, must be shared code"),
        (
            SLOWER,
            replace(RIGHT, scenarios={"REGRESSED": [DECODE, PREFILL]}),
            f"{PREFILL} is REGRESSED, which runs nothing of the change",
        ),
        (
            SLOWER,
            replace(RIGHT, scenarios={"REGRESSED": [DECODE, "prefill at tiny"]}),
            "prefill at tiny is REGRESSED, which runs nothing of the change",
        ),
        (UNCHANGED, replace(RIGHT, where={}), "suite is REGRESSED, which runs nothing of the change"),
        (UNCHANGED, UNDECIDED, "it must say OK, got INCONCLUSIVE"),
    ],
)
def test_another_end_verdict_cause_or_scenario_is_a_fault(change: RealChange, run: GateRun, why: str) -> None:
    assert why in faults(change, run)


@pytest.mark.parametrize("change", [SLOWER, UNCHANGED])
def test_beside_busy_processes_a_run_may_lack_minutes(change: RealChange) -> None:
    assert faults_when_busy(change, UNDECIDED) == []


@pytest.mark.parametrize(
    ("change", "run", "why"),
    [
        (SLOWER, replace(UNDECIDED, code=0), "it ends 0, though it is slower"),
        (SLOWER, SAME, f"{DECODE} is OK, which is worse by 20 %"),
        (UNCHANGED, replace(UNDECIDED, code=16), "it ends 16, an alarm, though nothing is slower"),
        (UNCHANGED, RIGHT, f"{DECODE} is REGRESSED, which runs nothing of the change"),
        (SLOWER, replace(UNDECIDED, undecided=["too few"]), "it does not say how many minutes it lacked: too few"),
    ],
)
def test_beside_busy_processes_nothing_slower_is_green_and_nothing_unchanged_an_alarm(
    change: RealChange, run: GateRun, why: str
) -> None:
    assert why in faults_when_busy(change, run)


def test_the_rows_of_a_report_are_gathered_by_verdict() -> None:
    said = [
        {"scenario": "a", "verdict": "REGRESSED", "where": "MoE", "why": ""},
        {"scenario": "b", "verdict": "INCONCLUSIVE", "where": "dense", "why": "9 min more"},
        {"scenario": "c", "verdict": "INCONCLUSIVE", "where": "", "why": "9 min more"},
        {"scenario": "d", "verdict": "OK", "where": "", "why": ""},
    ]
    assert rows(said) == {
        "scenarios": {"REGRESSED": ["a"], "INCONCLUSIVE": ["b", "c"], "OK": ["d"]},
        "where": {"a": "MoE"},
        "undecided": ["9 min more"],
    }
