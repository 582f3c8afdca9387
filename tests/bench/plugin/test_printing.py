"""Tests of what a run of scenarios prints where a record, or a character, does not come through."""

import re
from pathlib import Path

import pytest

from tests.bench.plugin.fake_project import write_package, write_project
from tests.bench.plugin.fresh_pytest import run_module

ASCII = "import sys\nsys.stdout.reconfigure(encoding='ascii', errors='strict')"
# a shell that starts tests in the background has them ignore it
HEEDS_CTRL_C = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
RUN = ("bench", "--compare=off", "-k1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project whose second scenario is interrupted, and whose first takes microseconds."""
    interrupted = "size == 2 and signal.raise_signal(signal.SIGINT)"
    folder = write_project(tmp_path_factory.mktemp("printing") / "project", ending=interrupted)
    write_package(folder, {1: {"dense": 0.5}})
    return folder


def test_a_record_that_was_not_written_is_not_named_and_what_was_measured_is_shown(folder: Path) -> None:
    (folder / "file").touch()
    ended = run_module(folder, "pytest", *RUN, "--record=file/r.json")
    assert ended.code == 16, ended.said
    assert "FAILED: file/r.json must be writable, got File exists; a file stands where a folder is needed" in ended.said
    assert "record: " not in ended.said
    assert re.search(r"bench_x\[1\] +[\d.]+ ms +dense", ended.said), ended.said


def test_an_interrupted_run_says_too_that_there_is_no_record(folder: Path) -> None:
    ended = run_module(folder, "pytest", "bench", "--compare=off", "--record=bench", first=HEEDS_CTRL_C)
    assert ended.code == 2, ended.said
    assert "no record: bench must be writable, got a folder or a device in its place; choose" in ended.said
    assert "record: bench\n" not in ended.said
    assert re.search(r"bench_x\[1\] +[\d.]+ ms +dense", ended.said), ended.said


def test_a_terminal_that_lacks_a_character_gets_an_escape_of_that_one(folder: Path) -> None:
    ended = run_module(folder, "pytest", *RUN, first=ASCII)
    assert ended.code == 0, ended.said
    assert re.search(r"bench_x\[1\] +[\d.]+ ms +dense +\d+ \\xb5s", ended.said), ended.said
