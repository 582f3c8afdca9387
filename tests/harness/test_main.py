"""Tests of the commands on records."""

from pathlib import Path
from typing import Any

import pytest

from bench.harness import __main__ as commands
from bench.harness import record
from tests.harness.sample_records import BASELINE_NAME, DENSE, document


@pytest.fixture(autouse=True)
def repository_without_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_git", lambda *arguments: "" if "--tags" in arguments else "c0ffee")


def promote(folder: Path, num_launches: int, **fields: Any) -> int:
    paths = [folder / "records" / f"{i}.json" for i in range(num_launches)]
    for i, path in enumerate(paths):
        record.write(path, document(f"launch-{i}", **fields))
    return commands.main(["promote", *map(str, paths), "--reason", "because", "--baselines", str(folder)])


def test_promote_says_where_the_baseline_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert promote(tmp_path, 8) == 0
    said = capsys.readouterr().out
    assert f"promoted {tmp_path / BASELINE_NAME}" in said
    assert "no slowdown was accepted so far" in said
    promotion = record.load(tmp_path / BASELINE_NAME).promotion
    assert promotion is not None
    assert (promotion["reason"], promotion["commit"], promotion["launches"]) == ("because", "c0ffee", 8)


def test_promote_shows_what_slowdowns_add_up_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for factor in (1.21, 1.1, 1.0):
        assert promote(tmp_path, 8, dense=tuple(factor * sample for sample in DENSE)) == 0
    assert "+21.0 %  bench_decode[tiny-b1]" in capsys.readouterr().out


def test_refusal_ends_2_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert promote(tmp_path, 7) == 2
    assert "launches must be 8 or more, got 7; run the suite again" in capsys.readouterr().err


def test_missing_record_ends_13(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["promote", str(tmp_path / "absent.json"), "--reason", "x"]) == 13
    assert "absent.json" in capsys.readouterr().err


def test_corrupt_record_ends_14(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json").write_text("{")
    assert commands.main(["promote", str(tmp_path / "r.json"), "--reason", "x"]) == 14
    assert "must be readable JSON" in capsys.readouterr().err


def test_directory_that_cannot_be_written_ends_16(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / f"{i}.json" for i in range(8)]
    for i, path in enumerate(paths):
        record.write(path, document(f"launch-{i}"))
    arguments = ["promote", *map(str, paths), "--reason", "x", "--baselines", str(paths[0])]
    assert commands.main(arguments) == 16
    assert "must be writable" in capsys.readouterr().err


def test_a_reason_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main(["promote", "r.json"])
    assert ended.value.code == 2
    assert "--reason" in capsys.readouterr().err
