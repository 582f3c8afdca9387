"""Verdicts of the page are those of the command `compare`, and silence has a reason."""

from pathlib import Path

import pytest

from bench.__main__ import main
from bench.gate.cap import UNJUDGEABLE
from bench.gate.stats import Interval
from bench.gate.verdict import TOLERANCE_CAP, Change, Control, ScenarioVerdict, Verdict
from bench.harness import record
from bench.harness.record import Record
from bench.report.judged import judged
from tests.bench.sample_records import BASELINE_NAME, DENSE, document


@pytest.fixture
def baselines(tmp_path: Path) -> Path:
    promotion = {"reason": "why", "commit": "c", "date": "2026-01-01", "release": "", "launches": 8}
    merged = record.merge([document(f"b{i}", promotion=promotion) for i in range(8)])
    record.write(tmp_path / "baselines" / BASELINE_NAME, merged)
    return tmp_path / "baselines"


@pytest.mark.parametrize("factor", [1.0, 0.6, 1.6])
def test_verdicts_are_those_of_compare(baselines: Path, factor: float, capsys: pytest.CaptureFixture[str]) -> None:
    path = baselines.parent / "run.json"
    record.write(path, document("new", dense=tuple(factor * sample for sample in DENSE)))
    verdicts = judged(record.load(path), baselines).verdicts
    main(["compare", str(path), "--baselines", str(baselines)])
    printed = [
        line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if "+" in line or "-" in line
    ]
    said = {cells[0].strip().removeprefix("all of "): cells[-1].strip() for cells in printed if len(cells) > 1}
    assert {"bench_decode[tiny-b1]", "suite"} <= set(said)
    assert {name: verdicts[name].verdict.value for name in said} == said
    assert {verdicts[name].verdict.value for name in set(verdicts) - set(said)} <= {
        "OK"
    }  # groups that are left out there


def test_a_machine_without_a_baseline_says_how_to_get_one(tmp_path: Path) -> None:
    found = judged(Record.from_document(document()), tmp_path)
    assert found.verdicts == {}
    assert found.why_not.startswith("MISSING: no baseline in ")


def test_a_baseline_is_judged_by_none(baselines: Path) -> None:
    found = judged(record.load(baselines / BASELINE_NAME), baselines)
    assert (found.verdicts, found.why_not) == ({}, "a promoted baseline: what others are compared with")


def test_an_ok_beyond_the_cap_is_inconclusive_here_too(baselines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control, wide = Control(arm="moe", against="dense"), 2 * TOLERANCE_CAP
    change = Change(
        control=control, interval=Interval(0.0, -0.1, 0.1), tolerance=wide, verdict=Verdict.OK, suspect=False
    )
    ok = ScenarioVerdict(scenario="a", verdict=Verdict.OK, changes=(change,))
    monkeypatch.setattr("bench.report.judged.judge_all", lambda _scenarios, opened, **_: ({"a": ok}, opened))
    found = judged(Record.from_document(document("new")), baselines).verdicts["a"]
    assert (found.verdict, found.why) == (Verdict.INCONCLUSIVE, UNJUDGEABLE)
