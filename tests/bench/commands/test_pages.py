"""Tests of the commands that write pages: those in docs are what they write; what is no record ends as elsewhere."""

import re
import shlex
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.commands.pages import COMMANDS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_in_docs_and_all_beside_it_is_what_its_command_writes(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody edits a result by hand: the page names the command that wrote it."""
    page = COMMANDS[name].page
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "records").symlink_to(ROOT / "docs" / "records")
    monkeypatch.chdir(tmp_path)
    command = re.search(rf"`python -m bench ({name} .+)`", (ROOT / page).read_text(encoding="utf-8"))
    assert command, "the page names its command"
    assert main(shlex.split(command[1])) == 0
    written = re.findall(r"^written: (.+)$", capsys.readouterr().out, re.M)
    assert page in written
    assert [path for path in written if Path(path).read_bytes() != (ROOT / path).read_bytes()] == []
    stem = Path(page).stem
    assert {f"docs/images/{path.name}" for path in (ROOT / "docs" / "images").glob(f"{stem}-*")} <= set(written)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_record_that_is_not_there_ends_13(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, str(tmp_path / "none.json"), f"--out={tmp_path / 'p.md'}"]) == 13
    assert "none.json" in capsys.readouterr().err
    assert not (tmp_path / "p.md").exists()


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_what_is_neither_record_nor_document_ends_as_a_corrupt_record(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(text)
    assert main(["results", str(tmp_path / "bad.json"), f"--out={tmp_path / 'p.md'}"]) == 14
