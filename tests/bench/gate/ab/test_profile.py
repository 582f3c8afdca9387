"""Profiles of what regressed: two real workers whose packages differ, and workers that go wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.gate.ab import profile
from bench.gate.ab.channel import Ended, Profiled, Ready
from bench.gate.ab.operations import OUTSIDE, operation_seconds
from bench.gate.ab.pair import EndedEarly
from bench.gate.ab.profile import MOST_SCENARIOS, ScenarioProfile, operation_changes, profile_regressed
from bench.gate.ab.worker_process import Project, Side, WorkerLost
from bench.gate.stats import Interval
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict
from tests.bench.gate.ab.test_lockstep_workers import make_project, started
from tests.processes import survives

pytestmark = pytest.mark.long

BENCH = """
import torch
import pack
from bench.harness.metrics import TTFT

def bench_matmul(paired):
    matrix = torch.randn(256, 256) / 16

    def call(arm):
        out = matrix
        for _ in range(8 if pack.SIDE == "head" and arm == "moe" else 1):
            out = out @ matrix
        return out.sort().values if pack.SIDE == "head" else out.relu()

    paired.measure(call, arms=["moe", "dense"], check=lambda arm: None, metric=TTFT, anchor="dispatch")
"""
NODE_ID = "bench/bench_x.py::bench_matmul"


def regressed(scenario: str, **estimates: float) -> ScenarioVerdict:
    changes = tuple(
        Change(
            control=Control(arm=arm, against="base"),
            interval=Interval(estimate, estimate / 2, estimate * 2),
            tolerance=0.02,
            verdict=Verdict.REGRESSED if estimate > 0.02 else Verdict.OK,
            suspect=False,
        )
        for arm, estimate in estimates.items()
    )
    return ScenarioVerdict(scenario=scenario, verdict=Verdict.REGRESSED, changes=changes)


def profiles(root: Path, *verdicts: ScenarioVerdict, node_ids: Sequence[str] = (NODE_ID,)) -> list[ScenarioProfile]:
    sides = [Side(name=name, folder=root / name) for name in ("base", "head")]
    return list(profile_regressed(verdicts, node_ids, lambda _scenario: sides, Project(root=root, package="pack")))


def test_a_real_slowdown_is_found_in_the_operations_that_cause_it(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    (root / "bench" / "bench_x.py").write_text(BENCH)
    fine = ScenarioVerdict(scenario="bench_fine", verdict=Verdict.OK)
    (found,) = profiles(root, fine, regressed("bench_matmul", moe=0.5, dense=0.01))
    assert (found.scenario, found.arm, found.why) == ("bench_matmul", "moe", "")
    changed = {change.operation: change for change in found.changes}
    assert changed["aten::mm"].change_s > 0
    assert (changed["aten::sort"].base_s, changed["aten::sort"].on) == (0.0, "CPU")
    assert changed["aten::clamp_min"].head_s == 0.0  # what relu calls: base alone runs it
    sizes = [abs(change.change_s) for change in found.changes]
    assert sizes == sorted(sizes, reverse=True)
    assert not any(map(survives, started(root)))


class BrokenWorkers:
    """Two workers that do not get as far as the profile; keeps what was run."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, []

    def __call__(self, _sides: object, _project: object, _limits: object, node_ids: Sequence[str]) -> "BrokenWorkers":
        self.asked += node_ids
        return self

    def __enter__(self) -> "BrokenWorkers":
        return self

    def __exit__(self, *_: object) -> None: ...

    def collected(self) -> None: ...

    def choose(self, node_ids: Sequence[str]) -> None: ...

    def abandon(self) -> None: ...

    def set_up(self, _go: object) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"base": self.answer, "head": self.answer}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (WorkerLost("head", "its worker died of SIGKILL"), "head: its worker died of SIGKILL"),
        (EndedEarly({"base": Ended(outcome="failed", why="no memory")}), "base: no memory"),
        (OSError("cannot fork"), "cannot fork"),
        (Ready(arms=["moe"], metric="peak_bytes", hashes={}, counts={"moe": 1.0}), "it is counted, not timed"),
    ],
)
def test_a_profile_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, answer: Any, why: str) -> None:
    monkeypatch.setattr(profile, "Workers", BrokenWorkers(answer))
    (found,) = profiles(Path(), regressed("bench_matmul", moe=0.1))
    assert found.why.startswith(why)
    assert not found.changes


def test_the_slowest_scenarios_are_profiled_in_their_slowest_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = BrokenWorkers(WorkerLost("head", "gone"))
    monkeypatch.setattr(profile, "Workers", workers)
    count = MOST_SCENARIOS + 2
    verdicts = [regressed(f"s{i}", moe=0.1, dense=0.1 * (i + 1)) for i in range(count)]
    found = profiles(Path(), *verdicts, node_ids=[f"f{i}.py::s{i}" for i in range(count)])
    assert [one.scenario for one in found] == [f"s{i}" for i in reversed(range(2, count))]
    assert {one.arm for one in found} == {"dense"}
    assert workers.asked[0] == f"f{count - 1}.py::s{count - 1}"


def test_operations_that_only_wobble_are_left_out() -> None:
    def call(number: int) -> dict[str, Profiled]:
        wobble = 1e-3 * (number % 3)
        base = Profiled(host_s={"same": 1.0 + wobble}, device_s={"kernel": 2.0})
        head = Profiled(host_s={"same": 1.0005 + wobble}, device_s={"kernel": 1.0})
        return {"base": base, "head": head}

    (found,) = operation_changes([call(number) for number in range(7)])
    assert (found.operation, found.on, found.base_s, found.head_s, found.change_s) == ("kernel", "GPU", 2.0, 1.0, -1.0)


def test_an_operation_counts_without_those_that_it_calls() -> None:
    matrix = torch.randn(64, 64)
    taken = operation_seconds(lambda: matrix @ matrix, torch.device("cpu"))
    assert {OUTSIDE, "aten::matmul", "aten::mm"} <= set(taken.host_s)
    assert taken.device_s == {}
    if torch.cuda.is_available():
        matrix = matrix.cuda()
        taken = operation_seconds(lambda: matrix @ matrix, matrix.device)
        assert taken.device_s
        assert OUTSIDE not in taken.device_s
