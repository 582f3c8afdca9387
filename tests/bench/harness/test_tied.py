"""Tests of tied processes: what they start ends with them, and they end with whoever started them, even by SIGKILL."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.harness.tied import PYTHON, tied
from tests.processes import is_running, survives

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a process with its parent")

SHELL = "sleep 600 & sleep 600 & echo $$ $!; wait"  # its own process, and one that it has started
STARTS = f"""
import subprocess
from bench.harness.tied import tied
subprocess.run(tied(["sh", "-c", {SHELL!r}]), start_new_session=True)
"""


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(tied(command), capture_output=True, text=True, check=False, start_new_session=True)


def killed(script: str, number: int) -> list[str]:
    """Start a script that tells process ids on its first line, then kill it; return the ids."""
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        pids = process.stdout.readline().split()
        assert all(map(is_running, pids))
        process.send_signal(number)
    return pids


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_process_ends_with_its_parent_and_takes_what_it_has_started_along(number: int) -> None:
    pids = killed(STARTS, number)
    assert len(pids) == 2
    assert not any(map(survives, pids))


def test_what_a_command_leaves_behind_ends_with_it() -> None:
    done = run(["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"])
    assert done.returncode == 0
    assert not survives(done.stdout.strip())


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [("echo out; exit 3", 3, "out\n"), ("kill -9 $$", -9, ""), ("echo $#", 0, "0\n")],
)
def test_a_tied_command_ends_as_it_would(script: str, code: int, said: str) -> None:
    done = run(["sh", "-c", script])
    assert (done.returncode, done.stdout, done.stderr) == (code, said, "")


def test_a_tied_command_is_the_process_that_was_started_and_has_no_other_child() -> None:
    script = "import os; print(os.getpid() == os.getpgrp() == os.getsid(0)); os.wait()"
    done = run([sys.executable, "-c", script])
    assert done.stdout == "True\n"
    assert "ChildProcessError" in done.stderr


def test_a_command_that_is_not_there_is_said_to_be_so() -> None:
    done = run(["no-such-program"])
    assert (done.returncode, done.stderr) == (127, "no-such-program: No such file or directory\n")


def test_a_command_whose_parent_has_died_before_it_was_tied_does_not_run() -> None:
    command = tied(["echo", "ran"])
    assert command[:3] == [PYTHON, "-I", "-S"]
    nobody = str(2**22 + 1)  # above every process id
    done = subprocess.run([*command[:4], nobody, *command[5:]], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


def test_processes_apart_end_with_the_one_that_asks() -> None:
    script = """
import os
from bench.harness.apart import Apart
from tests.bench.harness.test_tied import tell_and_wait
Apart().run(tell_and_wait, os.getpid())
"""
    pids = killed(script, signal.SIGKILL)
    assert len(pids) == 2
    assert not any(map(survives, pids))


def tell_and_wait(asking: int) -> None:
    """Write the ids of the process that others are forked from and of this one to the asking one's output."""
    Path(f"/proc/{asking}/fd/1").write_text(f"{os.getppid()} {os.getpid()}\n")
    signal.pause()
