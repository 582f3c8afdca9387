"""A lock of one folder between processes: the system takes it back from whoever dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.05


@contextmanager
def locked(path: Path, *, most_wait_s: float) -> Iterator[None]:
    """Hold a lock while the block runs; programs that it starts do not inherit it.

    Args:
        path: Its file, made if it is not there; it stays, and says who has held it last.
        most_wait_s: Seconds to wait for whoever holds it.

    Raises:
        OSError: The file cannot be made, its file system has no locks, or another process held it for that long.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)  # for who could read it could hold it
    try:
        _wait(descriptor, path, most_wait_s)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, most_wait_s: float) -> None:
    deadline = time.monotonic() + most_wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                owner = os.pread(descriptor, 20, 0).decode() or "another"
                raise TimeoutError(f"process {owner} has held {path} for {most_wait_s:g} s; end it") from error
            time.sleep(POLL_S)
