"""Tests of temporary folders: gone with their run, or with the next one; never while their run lives."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.harness.scratch import OWNER, PREFIX, is_scratch, scratch

MAKES = """
import signal
from bench.harness.scratch import scratch
with scratch("test") as folder:
    (folder / "kept").touch()
    print(folder, flush=True)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for temporary folders of these tests alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def other_run(temporary: Path) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", MAKES]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process
        process.kill()


def made_by(run: "subprocess.Popen[str]") -> Path:
    assert run.stdout is not None
    return Path(run.stdout.readline().strip())


def test_a_folder_goes_with_its_block_however_that_ends(temporary: Path) -> None:
    def be_interrupted() -> None:
        with scratch("test") as folder:
            (folder / "file").touch()
            assert is_scratch(folder)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()
    assert list(temporary.iterdir()) == []


def test_a_folder_stays_as_long_as_its_run_lives_and_goes_with_the_next_run(
    temporary: Path, other_run: "subprocess.Popen[str]"
) -> None:
    folder = made_by(other_run)
    with scratch("test"), scratch("test"):
        assert (folder / "kept").exists()
    other_run.kill()
    other_run.wait()
    with scratch("test") as own:
        assert list(temporary.iterdir()) == [own]


def test_what_is_not_known_to_be_abandoned_stays(temporary: Path) -> None:
    being_made = temporary / f"{PREFIX}test-x"
    being_made.mkdir()
    of_others = temporary / "moevlm-0"
    of_others.mkdir()
    (of_others / OWNER).touch()
    with scratch("test"):
        pass
    assert {path.name for path in temporary.iterdir()} == {being_made.name, of_others.name}
