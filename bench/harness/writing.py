"""The one way in which a file is written: whole or not at all, and on disk before anyone says that it is there."""

import contextlib
import errno
import glob
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from fixtures.programs.errors import write_error


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it.

    Raises:
        RecordWriteError: if the file system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error


def replace_text(path: Path, text: str) -> None:
    """Replace a file's text in one step; see `replace_bytes` for what it raises."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes) -> None:
    """Replace a file's content in one step, through a neighbour that is renamed once it is on disk.

    Raises:
        RecordWriteError: if the file system refuses, or no file stands at the path but something else; what was there
            before stays as it was.
    """
    neighbour = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _make_room(path)
        _remove_abandoned(path)
        with neighbour.open("wb", buffering=0) as file:
            _put(file, content)
        os.replace(neighbour, path)  # noqa: PTH105  # the tests break this call by its name
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # what stopped the write may stop this too
            neighbour.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Make the folder of a file to come, and try a neighbour of it there: asked before anything is measured, not after.

    Raises:
        RecordWriteError: if the file system refuses, or no file stands at the path but something else.
    """
    try:
        _make_room(path)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise write_error(path, error) from error


def append_line(path: Path, line: str) -> None:
    r"""Add a line to a file of lines; a last one that an interrupted call has left torn is cut off first.

    Args:
        path: a file that is there.
        line: without its "\n".

    Raises:
        RecordWriteError: if the file system refuses; all whole lines, and only these, stay.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            whole = whole_lines(file.read())
            try:
                _cut(file, len(whole))
                _put(file, f"{line}\n".encode())
            except OSError:
                _cut(file, len(whole))
                raise
    except OSError as error:
        raise write_error(path, error) from error


def whole_lines(content: bytes) -> bytes:
    r"""Cut off what an interrupted call has left of its last line.

    >>> whole_lines(b"one\ntw")
    b'one\n'
    """
    return content[: content.rfind(b"\n") + 1]


def _make_room(path: Path) -> None:
    """Make the folder of a file, and refuse a place that a rename must not take: a folder's, or that of /dev/null."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EISDIR, "a folder or a device in its place")
    path.parent.mkdir(parents=True, exist_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove the neighbours of a file that killed processes have left."""
    for neighbour in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        pid = neighbour.suffixes[-2].removeprefix(".")
        if pid.isdecimal() and not _lives(int(pid)):
            neighbour.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        pass
    return True


def _cut(file: BinaryIO, size: int) -> None:
    file.truncate(size)
    file.seek(size)


def _put(file: BinaryIO, content: bytes) -> None:
    """Write all of it, which an unbuffered file takes in parts, and wait until it is on disk."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
    os.fsync(file.fileno())
