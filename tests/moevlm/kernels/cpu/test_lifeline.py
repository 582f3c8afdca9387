"""A compiler's processes end with whoever started it, by whatever signal, and with the time that it is given."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moevlm.kernels.cpu import lifeline
from tests.processes import is_running, survives

SHELL = "sleep 600 & sleep 600 & echo $$ $! > {}; wait"
STARTS = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(lifeline.__file__).parent)!r})  # the package itself loads torch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started ignoring it
import lifeline
lifeline.run(["sh", "-c", sys.argv[1]], timeout_s=600, environment=os.environ)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_program_and_what_it_has_started_end_with_this_process(tmp_path, number):
    told = tmp_path / "told"
    os.mkfifo(told)
    command = [sys.executable, "-c", STARTS, SHELL.format(told)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        pids = told.read_text().split()  # once the shell has written
        assert len(pids) == 2
        assert all(map(is_running, pids))
        process.send_signal(number)
    assert not any(map(survives, pids))


def test_a_program_and_what_it_has_started_end_when_the_time_is_up(tmp_path):
    with pytest.raises(subprocess.TimeoutExpired):
        lifeline.run(["sh", "-c", SHELL.format(tmp_path / "told")], timeout_s=2, environment=os.environ)
    pids = (tmp_path / "told").read_text().split()
    assert len(pids) == 2
    assert not any(map(survives, pids))


def test_a_program_that_failed_is_told_with_its_words():
    with pytest.raises(subprocess.CalledProcessError) as failed:
        lifeline.run(["sh", "-c", "echo error: no >&2; exit 3"], timeout_s=60, environment=os.environ)
    assert (failed.value.returncode, failed.value.stderr) == (3, "error: no\n")
