"""The heap of a process that measures: what a call has freed stays for the next, as in the allocators of servers.

glibc gives freed memory back to the system, or not, by where a process's blocks happen to lie. A prefill of the dense
twin took 17 ms in one process and 24 ms in the next, for 3,000 pages a call that were lost and asked for again: a state
that lasts as long as the process, and that arms with large intermediate tensors pay for more than others.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of <malloc.h>
NEVER, NONE = -1, 0


def keep_freed() -> bool:
    """Have this process keep what it frees; return whether its C library can (glibc's can).

    Source: mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, NEVER)) and bool(mallopt(M_MMAP_MAX, NONE))


def give_back() -> None:
    """Return to the system what is free now: a model that is gone leaves its memory to the next one.

    Source: malloc_trim(3).
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
