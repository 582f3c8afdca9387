"""Look at processes that a test may have left behind."""

import subprocess


def is_running(pid: str) -> bool:
    """Tell whether a process does anything: one that is dead and only waits to be reaped does not."""
    answer = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False)
    return bool(answer.stdout.strip()) and not answer.stdout.startswith("Z")
