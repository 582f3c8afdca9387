"""History of the page: promotions as git has them, tracked runs between them, and marks where something stepped."""

import math
import random
from pathlib import Path

import pytest
from msgspec import structs

from bench.report.history import past_of
from bench.report.tracked import TrackedRun, TrackedScenario
from tests.bench.gate.test_history import FACTORS, baselines  # noqa: F401
from tests.bench.report.test_tracked import record, run_of
from tests.bench.sample_records import BASELINE_NAME, SCENARIOS

MACHINE = BASELINE_NAME.removesuffix(".json")


def runs(values: list[float], *, work: str = "abc", timing: int = 1, day: int = 1) -> list[TrackedRun]:
    """Return runs whose MoE / dense are the values, an hour apart."""
    whole = run_of(record(), subject="A change", software="")
    return [
        structs.replace(
            whole,
            launch=f"{day}-{i}",
            commit=f"{i:040x}",
            date=f"2026-02-{day:02}T{i:02}:00:00+00:00",
            subject=f"change {i}",
            timing=timing,
            scenarios={SCENARIOS[0]: followed(value, work)},
        )
        for i, value in enumerate(values)
    ]


def followed(value: float, work: str) -> TrackedScenario:
    plain = {"control": "moe/dense", "sign": 1.0, "moe": "", "hashes": {"workload": work}}
    return TrackedScenario(log_value=math.log(value), low=None, high=None, **plain)  # type: ignore[arg-type]


@pytest.mark.usefixtures("baselines")
def test_promotions_are_points_with_commit_reason_and_change(baselines: Path) -> None:  # noqa: F811
    past = past_of(baselines, [])
    (series,) = [one for one in past.series if one.scenario == SCENARIOS[0]]
    assert (series.machine, series.control) == (MACHINE, "moe/dense")
    assert [point.value[0] for point in series.points] == pytest.approx([2 * factor for factor in FACTORS], rel=1e-4)
    assert [point.why for point in series.points] == ["reason 0", "reason 1", "reason 2"]
    assert [point.change for point in series.points] == ["", "+10.0 %", "-3.8 %"]
    assert all(len(point.commit) == 40 for point in series.points)
    assert [(mark.index, mark.what, mark.why) for mark in series.steps] == [
        (1, "promotion", "+10.0 %: reason 1"),
        (2, "promotion", "-3.8 %: reason 2"),
    ]
    assert past.notes == []


def test_runs_of_the_same_machine_stand_between_promotions_by_date(baselines: Path) -> None:  # noqa: F811
    past = past_of(baselines, runs([2.0, 2.1]))
    (series,) = [one for one in past.series if one.scenario == SCENARIOS[0]]
    assert [point.kind for point in series.points] == ["promoted", "promoted", "promoted", "run", "run"]
    assert series.points[-1].why == "change 1"
    assert series.points[-1].value == (2.1, None, None)


def test_a_step_of_the_runs_is_marked_at_the_first_run_after_it_with_its_size() -> None:
    noise = random.Random(0)
    values = [level * math.exp(noise.gauss(0, 0.01)) for level in [1.0] * 12 + [1.2] * 12]
    (series,) = past_of(None, runs(values)).series
    (mark,) = series.steps
    assert (mark.index, mark.what) == (12, "step")
    assert float(mark.why.split(" %")[0]) == pytest.approx(20.0, abs=2.0)


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"work": "other"}, "another workload hash: not comparable"), ({"timing": 2}, "timed in another way")],
)
def test_other_work_is_marked_and_is_no_step(changed: dict[str, object], why: str) -> None:
    both = [*runs([1.0] * 10), *runs([3.0] * 10, day=2, **changed)]  # type: ignore[arg-type]
    (series,) = past_of(None, both).series
    (mark,) = series.steps
    assert (mark.index, mark.what) == (10, "other work")
    assert mark.why.startswith(why)


def test_what_git_cannot_tell_is_a_note(tmp_path: Path) -> None:
    past = past_of(tmp_path, [])
    assert past.series == []
    assert past.notes[0].startswith("no history of promoted baselines: the history of ")


def test_a_broken_ledger_is_a_note(baselines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def broken(_folder: Path) -> None:
        raise ValueError("ledger.json must be JSON")

    monkeypatch.setattr("bench.report.history.ledger.read", broken)
    assert past_of(baselines, []).notes == ["no history of promoted baselines: ledger.json must be JSON"]
