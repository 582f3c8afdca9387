"""Outputs held by one run at a time, by a lock that the system takes back from whoever dies."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.programs.errors import write_error

LOCK = ".lock"  # in a folder; beside a file, after its name


class InUse(ValueError):  # noqa: N818  # what happened
    """Another run holds the output."""


@contextmanager
def held(option: str, output: Path, *, is_file: bool = False) -> Iterator[None]:
    """Hold a folder, or a file in its folder, against every other run while the block runs.

    Args:
        option: that names the output, for whoever is refused.
        output: a folder, which is made, or a file to come.
        is_file: which of the two.

    Raises:
        InUse: another process holds it; names that.
        RecordWriteError: the file system refuses, or has no locks.
    """
    path = output.with_name(f".{output.name}{LOCK}") if is_file else output / LOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _take(path)
    except BlockingIOError as error:
        raise InUse(
            f"{option} must name what no other run writes, got {output}, which process {error} holds; "
            "wait for it, end it, or name another"
        ) from error
    except OSError as error:
        raise write_error(output, error) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it means nothing by itself
            path.unlink()
        os.close(descriptor)


def _take(path: Path) -> int:
    """Return the lock's open file, with our process id in it.

    Raises:
        BlockingIOError: another process has it, whose id it says.
    """
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return descriptor
        except BlockingIOError as error:
            owner = os.pread(descriptor, 20, 0).decode() or "(starting)"
            os.close(descriptor)
            raise BlockingIOError(owner) from error
        except OSError:  # a full disk takes no process id
            path.unlink(missing_ok=True)
            os.close(descriptor)
            raise
        os.close(descriptor)  # its owner ended, and removed it, between the two lines above


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
