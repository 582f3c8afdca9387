"""What a record keeps of runs: those of this code count, others stay until they are run again."""

import json
from pathlib import Path

import pytest

from tests.bench import kept_runs as module
from tests.bench.kept_runs import keep, kept_runs


def test_runs_of_other_code_stay_until_they_are_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "record.json"
    monkeypatch.setattr(module, "code_hash", lambda: "old")
    for name in ("a", "b"):
        keep(record, {"name": name, "said": 1}, what=("name",))
    monkeypatch.setattr(module, "code_hash", lambda: "new")
    assert kept_runs(record) == []
    keep(record, {"name": "b", "said": 2}, what=("name",))
    assert kept_runs(record) == [{"name": "b", "said": 2}]
    rows = json.loads(record.read_text())
    assert [(row["on"]["code"], row["run"]["said"]) for row in rows] == [("old", 1), ("new", 2)]


def test_a_record_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert kept_runs(tmp_path / "record.json") == []
