"""Processes tied to the one that started them: however that dies, they die with all that they have started.

    python -I -S tied.py PARENT COMMAND...

becomes the command, in a process group that a keeper beside it kills as soon as the command has ended. The kernel kills
the command when its parent is gone, also where nothing could be told any more: by SIGKILL, by the end of memory.
Linux alone does so; elsewhere a command runs as it is.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
from collections.abc import Sequence

PYTHON = sys.executable  # as it was at first, whatever stands for it later
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
MOST_FILES = 1 << 20  # beyond any limit that a machine sets
CANNOT_RUN = 127  # as shells say of a command that cannot be started


def tied(command: Sequence[str]) -> list[str]:
    """Return the command whose process dies with this one, and with what it has started when it ends.

    Whoever starts it does so with `start_new_session`, and in a thread that outlives it: the kernel looks at that.
    """
    is_linux = sys.platform == "linux"
    return [PYTHON, "-I", "-S", __file__, str(os.getpid()), *command] if is_linux else list(command)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, also if it has died by now; nothing but on Linux."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: Sequence[str]) -> None:
    """Be the command."""
    parent, *command = arguments
    die_with(int(parent))
    if os.getpgrp() != os.getpid():
        os.setsid()
    _start_keeper()
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(CANNOT_RUN)


def _start_keeper() -> None:
    """Fork the process that outlives this one; no child of it, which the command might wait for."""
    try:
        ended = os.pidfd_open(os.getpid())
    except OSError:  # Linux before 5.3: what the command has started is then its own to end
        return
    if middle := os.fork():
        os.close(ended)
        os.waitpid(middle, 0)
        return
    if os.fork():
        os._exit(0)
    _keep(ended)


def _keep(ended: int) -> None:
    """Wait for the end of the command, whatever signals its group gets; then kill the group, this process with it."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.dup2(ended, 0)  # no other file is kept open: the command's pipes and sockets end with the command
    os.closerange(1, MOST_FILES)
    with contextlib.suppress(OSError):
        select.select([0], [], [])
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
