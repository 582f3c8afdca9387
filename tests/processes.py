"""Look at processes that a test may have left behind."""

import subprocess
import time

DEATH_S = 20.0  # within which a killed process is gone, on a machine with other things to do


def is_running(pid: str) -> bool:
    """Tell whether a process does anything: one that is dead and only waits to be reaped does not."""
    answer = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False)
    return bool(answer.stdout.strip()) and not answer.stdout.startswith("Z")


def survives(pid: str) -> bool:
    """Tell whether a process that was killed is still there after DEATH_S: a signal takes its time."""
    deadline = time.monotonic() + DEATH_S
    while is_running(pid):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.05)
    return False
