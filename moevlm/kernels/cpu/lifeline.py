"""Run a program whose processes end with this one, however it ends: of a compiler's, only the first is our child."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

# Of the process between: nobody writes to the pipe that it reads, so reading ends when the last writer is gone.
BETWEEN = """
import os, signal, subprocess, sys, threading
def end():
    os.read(int(sys.argv[1]), 1)
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=end, daemon=True).start()
sys.exit(subprocess.call(sys.argv[2:]))
"""


def run(call: Sequence[str], *, timeout_s: float, environment: Mapping[str, str]) -> None:
    """Run a program to its end.

    Args:
        timeout_s: Seconds after which it is killed, with what it has started.

    Raises:
        OSError, subprocess.SubprocessError: It cannot be run, failed (its words are in `stderr`) or took too long.
    """
    read_end, write_end = os.pipe()  # closed by the system where we are killed
    try:
        _run([sys.executable, "-I", "-S", "-c", BETWEEN, str(read_end), *call], read_end, timeout_s, environment)
    finally:
        os.close(read_end)
        os.close(write_end)


def _run(command: Sequence[str], read_end: int, timeout_s: float, environment: Mapping[str, str]) -> None:
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        pass_fds=[read_end],
        start_new_session=True,
    ) as process:
        try:
            said = process.communicate(timeout=timeout_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, *said)
