"""Which cores both workers of a launch take turns on: the same ones.

A core is at times a fifth slower than its neighbour for minutes, on a shared machine above all, and a scheduler leaves
each of two alternating processes on a core of its own: what is compared are then two cores, not two revisions.
"""

import contextlib
import os
from collections.abc import Collection
from pathlib import Path


def shared_cores(number: int, num_threads: int, allowed: Collection[int]) -> frozenset[int]:
    """Return the cores of a launch: one a thread, others from launch to launch; none where there is no choice.

    Args:
        number: The launch's, from 0.
        num_threads: Of one operation; 0 is not known.
        allowed: Cores that this process may use.

    >>> [sorted(shared_cores(number, 2, {3, 4, 5, 6, 7})) for number in range(3)]
    [[3, 4], [5, 6], [3, 4]]
    """
    num_choices = len(allowed) // num_threads if num_threads else 0
    if num_choices < 2:
        return frozenset()
    first = number % num_choices * num_threads
    return frozenset(sorted(allowed)[first : first + num_threads])


def allowed_cores() -> frozenset[int]:
    """Return the cores that this process may use; none where the system does not tell (macOS)."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def keep_on(pid: int, cores: Collection[int]) -> None:
    """Keep all threads of a process, and those that they start, on some cores; no cores leave it as it is."""
    if not cores:
        return
    with contextlib.suppress(FileNotFoundError):  # it is gone: whoever asks it next is told
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), cores)
