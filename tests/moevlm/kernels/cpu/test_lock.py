"""The lock of a folder: one holder, none that is dead, and an end of waiting."""

import subprocess
import sys
from pathlib import Path

import pytest

from moevlm.kernels.cpu import lock
from moevlm.kernels.cpu.lock import locked

HOLD = f"""
import pathlib, sys, time
sys.path.insert(0, {str(Path(lock.__file__).parent)!r})  # the package itself loads torch
from lock import locked
with locked(pathlib.Path(sys.argv[1]), most_wait_s=5):
    print(flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_waiting_for_a_holder_ends_with_the_locks_name(holder, tmp_path):
    said = f"process {holder.pid} has held {tmp_path}/lock for 0.1 s"
    with pytest.raises(TimeoutError, match=said), locked(tmp_path / "lock", most_wait_s=0.1):
        pytest.fail("two hold the lock")


def test_a_killed_holder_holds_nothing(holder, tmp_path):
    holder.kill()
    holder.wait()
    with locked(tmp_path / "lock", most_wait_s=5):
        pass


def test_a_program_started_under_the_lock_does_not_keep_it(tmp_path):
    with locked(tmp_path / "lock", most_wait_s=5):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with locked(tmp_path / "lock", most_wait_s=0.1):
            pass
    finally:
        child.kill()
        child.wait()


def test_others_cannot_open_it_and_so_cannot_hold_it(tmp_path):
    with locked(tmp_path / "lock", most_wait_s=5):
        assert (tmp_path / "lock").stat().st_mode & 0o077 == 0
