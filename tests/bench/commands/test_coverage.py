"""Tests of `coverage`: red where fewer than nine of ten launches fall inside."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.harness.record import Record
from tests.bench.pages.test_coverage import cell
from tests.bench.sample_records import record_of

EVEN = [[0.0], [0.01], [0.02], [0.015], [0.012]]
FAR = [[0.0], [0.01], [0.02], [0.015], [9.0]]  # of ten threes four hold it already; the six others miss it alone


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Record:
    """Have the command read one record, whose scenarios a test gives."""
    found: list[Record] = []
    monkeypatch.setattr("bench.commands.coverage.load", lambda _path: found[0])
    return found  # type: ignore[return-value]


def blocks(launches: Sequence[Sequence[float]]) -> np.ndarray:
    return np.array(launches).repeat(6, axis=1)


def test_launches_that_fall_inside_end_0(record: list[Record], capsys: pytest.CaptureFixture[str]) -> None:
    record.append(record_of(cell(blocks(EVEN)), cell(blocks(EVEN), batch=2)))
    assert main(["coverage", "r.json"]) == 0
    said = capsys.readouterr().out
    assert "| bench_decode[7b-b2-s1024] | dense     | 5          | 20 of 20 (100 %)" in said
    assert "2 scenarios, each launch asked of every 3 others: 100.0 % [100.0, 100.0] fell inside; 90 % at least" in said


def test_launches_that_fall_outside_end_10(record: list[Record], capsys: pytest.CaptureFixture[str]) -> None:
    record.append(record_of(cell(blocks(FAR))))
    assert main(["coverage", "r.json"]) == 10
    assert "16 of 20 (80 %)" in capsys.readouterr().out


def test_too_few_launches_are_refused(record: list[Record], capsys: pytest.CaptureFixture[str]) -> None:
    record.append(record_of(cell(blocks(EVEN[:3]))))
    assert main(["coverage", "r.json"]) == 4
    assert "in more than 3 launches, got none; name more records" in capsys.readouterr().err


def test_a_damaged_record_ends_14(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"benchmarks": []}))
    assert main(["coverage", str(tmp_path / "r.json")]) == 14
