"""Tests of how files are written: on a full disk, in a wrong place, after a torn line."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.harness.writing import append_line, check_writable, replace_bytes, replace_text
from fixtures.programs.errors import RecordWriteError
from tests.full_disk import largest_file

CONTENT = b"0123456789" * 20_000  # more than one write of the system takes at once under the limits below


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    replace_bytes(tmp_path / "new" / "file", CONTENT)
    replace_text(tmp_path / "new" / "text", "é\r\n")
    assert (tmp_path / "new" / "file").read_bytes() == CONTENT
    assert (tmp_path / "new" / "text").read_bytes() == b"\xc3\xa9\r\n"
    assert names(tmp_path / "new") == ["file", "text"]


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, len(CONTENT) - 1])
def test_a_full_disk_leaves_the_old_file_and_no_half_one(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with largest_file(size), pytest.raises(RecordWriteError, match=r"file must be writable, got File too large; free"):
        replace_bytes(path, CONTENT)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_what_just_fits_is_written(tmp_path: Path) -> None:
    with largest_file(len(CONTENT)):
        replace_bytes(tmp_path / "file", CONTENT)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_file_gets_its_name_once_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def noting(name: str, call: Callable[..., None]) -> Callable[..., None]:
        return lambda *arguments: (steps.append(name), call(*arguments))[1]

    monkeypatch.setattr(os, "fsync", noting("on disk", os.fsync))
    monkeypatch.setattr(os, "replace", noting("named", os.replace))
    replace_bytes(tmp_path / "file", CONTENT)
    assert steps == ["on disk", "named"]


KILLED_WHILE_WRITING = """
import os, pathlib, signal, sys
from bench.harness.writing import replace_text
os.fsync = lambda _file: os.kill(os.getpid(), signal.SIGKILL)
replace_text(pathlib.Path(sys.argv[1]), "torn")
"""


def test_what_a_killed_write_left_goes_with_the_next_of_the_same_file(tmp_path: Path) -> None:
    path, another = tmp_path / "file[1]", tmp_path / "file"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    for torn in (path, another):
        command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(torn)]
        assert subprocess.run(command, check=False, env=environment).returncode == -signal.SIGKILL
    living = tmp_path / f".file[1].{os.getppid()}.tmp"
    living.touch()
    foreign = tmp_path / ".file[1].swap.tmp"
    foreign.touch()
    replace_text(path, "whole")
    left = names(tmp_path)
    assert {living.name, foreign.name, path.name} <= set(left)
    assert len(left) == 4, "the other file's stays"
    assert any(name.startswith(".file.") for name in left)


@pytest.mark.parametrize("write", [check_writable, lambda path: replace_text(path, "new")])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, write: Callable[[Path], None]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(RecordWriteError, match=r"must be writable, got a folder or a device in its place; choose"):
            write(path)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("write", [check_writable, lambda path: replace_text(path, "new")])
def test_a_file_where_a_folder_is_needed_is_said(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "new", tmp_path / "file" / "deep" / "new"):
        with pytest.raises(RecordWriteError, match=r"new must be writable, got .*; a file stands where a folder is"):
            write(path)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_line_is_added_after_the_whole_ones(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntw")
    append_line(path, "2é")
    assert path.read_bytes() == b"one\n2\xc3\xa9\n"


@pytest.mark.parametrize("room", [0, 1, 5])
def test_a_line_that_does_not_fit_leaves_the_whole_ones(tmp_path: Path, room: int) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntw")
    with largest_file(4 + room), pytest.raises(RecordWriteError, match=r"lines must be writable, .*; free disk space"):
        append_line(path, "three")
    assert path.read_bytes() == b"one\n"


def test_a_line_needs_its_file(tmp_path: Path) -> None:
    with pytest.raises(RecordWriteError, match="lines must be writable, got No such file"):
        append_line(tmp_path / "lines", "one")
