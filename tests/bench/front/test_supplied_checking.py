"""What is wrong with a command line or a row is said before a model is looked for: none exists in these tests."""

from pathlib import Path
from typing import Any

import pytest

from bench.front.supplied.__main__ import main
from tests.fixtures.parquet_rows import ROWS, mmmu_row, write_rows

MATHVISTA = {**ROWS["mathvista"][0], "question_type": "free_form", "answer_type": "float"}


def error_of(task: str, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    options = ["--checkpoint", "no/such", "--benchmark", task, "--data", str(data), "--out", str(out)]
    assert main([*options, "--device", "cpu"]) == 4
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("task", "bad", "message"),
    [
        ("mmmu", mmmu_row(question_type="odd"), "question_type must be one of multiple-choice, open, got 'odd'"),
        ("mmmu", mmmu_row(options="[]"), "options must be 1 to 26 texts, got 0"),
        ("mathvista", {**MATHVISTA, "answer_type": "date"}, "answer_type must be one of text, integer, float, list"),
        ("mathvista", {**MATHVISTA, "precision": None}, "precision must be a whole number where answer_type is float"),
        ("mathvista", {**ROWS["mathvista"][0], "choices": None}, "choices must hold the options of a multi_choice"),
    ],
)
def test_a_row_that_no_answer_could_be_scored_of_is_named_before_any_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, bad: dict[str, Any], message: str
) -> None:
    path = write_rows(tmp_path, task, ROWS[task][0], bad)
    assert f"error: {path}, row 1: {message}" in error_of(task, tmp_path, tmp_path / "mine.json", capsys)


def test_a_document_that_could_not_be_written_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The data does not exist either, and is looked for later."""
    (tmp_path / "file").touch()
    said = error_of("chartqa", tmp_path / "none", tmp_path, capsys)
    assert f"--out must be a file, got the folder {tmp_path}; name a file in it" in said
    said = error_of("chartqa", tmp_path / "none", tmp_path / "file" / "mine.json", capsys)
    assert f"--out must be a file that can be written, got {tmp_path / 'file' / 'mine.json'}: " in said


def test_looking_whether_a_document_can_be_written_leaves_nothing_but_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error_of("chartqa", tmp_path / "none", tmp_path / "new" / "mine.json", capsys)
    assert list((tmp_path / "new").iterdir()) == []
