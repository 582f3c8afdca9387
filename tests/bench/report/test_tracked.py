"""The file of runs that CI keeps: lines against the record's own numbers, what is refused, and torn lines."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.harness.documents import CorruptRecord
from bench.harness.record import Record
from bench.report.tracked import commit_of, read_tracked, run_of, track
from tests.bench.sample_records import SCENARIOS, document, record_of, scenario

SHA = "c0ffee" * 6 + "abcd"


def record(launch: str = "launch-0", **fields: Any) -> Record:
    whole = document(launch)
    return replace(Record.from_document({**whole, "commit_info": {"id": SHA, "dirty": False}}), **fields)


def test_a_line_holds_what_is_followed_with_its_commit_and_kind(tmp_path: Path) -> None:
    assert track(tmp_path / "d" / "runs.jsonl", record(), subject="Faster", software="torch 2.13") == 1
    (run,) = read_tracked(tmp_path / "d" / "runs.jsonl")
    assert (run.commit, run.subject, run.date, run.launch) == (SHA, "Faster", "2026-01-01T00:00:00+00:00", "launch-0")
    assert run.kind.device_model == "Acme(R) Core 6-1-2 avx2"
    assert set(run.scenarios) == set(SCENARIOS)
    one = run.scenarios[SCENARIOS[0]]
    assert one.control == "moe/dense"
    assert one.log_value == pytest.approx(math.log(2.0))  # 2 ms over 1 ms, in the middle block
    assert (one.moe, one.dense) == ("2.00 ms", "1.00 ms")
    assert one.interval == pytest.approx((2.0, 2.0, 2.0))  # one launch tells nothing of the next


def test_lines_are_added_and_never_changed(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    track(path, record("a"), subject="", software="")
    before = path.read_bytes()
    assert track(path, record("b"), subject="", software="") == 2
    assert path.read_bytes().startswith(before)
    assert [run.launch for run in read_tracked(path)] == ["a", "b"]


def test_a_launch_is_tracked_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    track(path, record("a"), subject="", software="")
    with pytest.raises(ValueError, match="must be tracked once, got a, which"):
        track(path, record("a"), subject="", software="")
    assert len(read_tracked(path)) == 1


def test_a_torn_last_line_is_no_run_and_is_cut_off_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    track(path, record("a"), subject="", software="")
    with path.open("a") as file:
        file.write('{"schema_ver')
    assert [run.launch for run in read_tracked(path)] == ["a"]
    assert track(path, record("b"), subject="", software="") == 2
    assert [run.launch for run in read_tracked(path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("schema_version", 2, "must be 1, got 2"),
        ("mood", "good", "known fields alone, got mood"),
        ("commit", 3, "string"),
    ],
)
def test_a_line_of_another_form_names_its_number(tmp_path: Path, field: str, value: object, rule: str) -> None:
    path = tmp_path / "runs.jsonl"
    track(path, record("a"), subject="", software="")
    line = json.loads(path.read_text())
    path.write_text(path.read_text() + json.dumps({**line, field: value}) + "\n")
    with pytest.raises(CorruptRecord, match=f"line 2: .*{rule}"):
        read_tracked(path)


def test_a_slowed_run_and_one_that_nothing_can_be_followed_of_are_refused() -> None:
    with pytest.raises(ValueError, match="must be as the code is, got slowed moe"):
        run_of(record(injected={"moe": 1.3}), subject="", software="")
    with pytest.raises(ValueError, match="must hold a scenario with a dense twin"):
        run_of(record_of(scenario({"moe": 1.0, "anchor": 1.0})), subject="", software="")


@pytest.mark.parametrize("said", [{}, {"id": SHA, "dirty": True}, {"dirty": False}])
def test_a_changed_working_tree_is_of_no_commit(said: dict[str, object]) -> None:
    assert commit_of(record(commit_info=said)) == "uncommitted"
