"""Ctrl-C, SIGTERM and a closed terminal end a process alike: once, without disturbing its cleaning up, and in time."""

import _thread
import contextlib
import os
import signal
import time
from collections.abc import Callable

from moevlm_programs.codes import INTERRUPTED

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST_S = 8.0  # of cleaning up: what sends SIGTERM often sends SIGKILL ten seconds later
FORCED = f"interrupted: ended by force after {LONGEST_S:g} s; finished files are kept, the next run removes the rest\n"


def end_on_signals() -> Callable[[], None]:
    """Raise KeyboardInterrupt on the first signal of ENDING, ignore all later ones, and end LONGEST_S after it.

    A signal that whoever started this process has it ignore stays ignored.

    Returns:
        What makes signals mean again what they meant before, for a process that goes on.
    """
    before = {number: signal.getsignal(number) for number in ENDING}
    is_over: list[bool] = []

    def interrupt(*_arguments: object) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        _thread.start_new_thread(_end_by_force, (is_over,))  # threading's locks may be held by what is interrupted
        raise KeyboardInterrupt

    def restore() -> None:
        is_over.append(True)
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in ENDING:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    return restore


def _end_by_force(is_over: list[bool]) -> None:
    """End the process unless it has ended by itself; what it has started ends with it."""
    time.sleep(LONGEST_S)
    if not is_over:
        with contextlib.suppress(OSError):  # a terminal that is gone
            os.write(2, FORCED.encode())
        os._exit(INTERRUPTED)
