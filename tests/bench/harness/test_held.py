"""Tests of held outputs: one run at a time, and a dead one holds nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.harness.held import InUse, held
from bench.harness.record import RecordWriteError

HOLDS = """
import pathlib, signal, sys
from bench.harness.held import held
output = pathlib.Path(sys.argv[1])
with held("--out", output, is_file=bool(output.suffix)):
    print("held", flush=True)
    signal.pause()
"""


@contextmanager
def holder(output: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that holds an output, and wait until it does; it is killed with the block."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", HOLDS, str(output)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)})
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["out", "record.json"])
def test_a_second_run_is_refused_and_told_who_holds_the_output_until_that_has_died(tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    with (
        holder(output) as other,
        pytest.raises(
            InUse,
            match=rf"--out must name what no other run writes, got .*{name}, which process "
            rf"{other.pid} holds; wait for it, end it, or name another",
        ),
        held("--out", output, is_file=bool(output.suffix)),
    ):
        pass
    with held("--out", output, is_file=bool(output.suffix)):
        pass


def test_outputs_beside_each_other_are_held_at_once_and_nothing_is_left(tmp_path: Path) -> None:
    with (
        held("--out", tmp_path),
        held("--record", tmp_path / "a.json", is_file=True),
        held("--record", tmp_path / "b", is_file=True),
        held("--out", tmp_path / "new" / "er"),
    ):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "er"]


def test_a_process_that_is_started_meanwhile_does_not_hold_what_its_parent_held(tmp_path: Path) -> None:
    with held("--out", tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with held("--out", tmp_path):
        child.communicate()


def test_a_lock_that_its_owner_removed_as_it_was_opened_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, open_file = [], os.open

    def open_then_lose(path: Path, *arguments: int) -> int:
        descriptor = open_file(path, *arguments)
        if not opened:
            path.unlink()
        opened.append(path)
        return descriptor

    monkeypatch.setattr("bench.harness.held.os.open", open_then_lose)
    with held("--out", tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
    assert len(opened) == 2


def test_an_output_that_cannot_be_written_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(RecordWriteError, match=r"must be writable, got .*; a file stands where a folder is needed"),
        held("--out", tmp_path / "file"),
    ):
        pass
