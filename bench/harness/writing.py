"""The one way in which a file is written: whole or not at all, and on disk before anyone says that it is there."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

REMEDY = "choose another path that may be written"
REMEDIES = {  # by what the file system says
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), f"free disk space or raise the limit, or {REMEDY}"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files, `ulimit -n`"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR), REMEDY),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), f"a file stands where a folder is needed: {REMEDY}"),
}


class RecordWriteError(OSError):
    """Something could not be written; the file that was there before is intact."""


def write_error(what: Path | str, error: OSError, *, must: str = "be writable") -> RecordWriteError:
    """Return the error that says what could not be written, why, and what helps."""
    remedy = REMEDIES.get(error.errno or 0, REMEDY)
    return RecordWriteError(f"{what} must {must}, got {error.strerror or error}; {remedy}")


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


def _cut(file: BinaryIO, size: int) -> None:
    file.truncate(size)
    file.seek(size)


def _put(file: BinaryIO, content: bytes) -> None:
    """Write all of it, which an unbuffered file takes in parts, and wait until it is on disk."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
    os.fsync(file.fileno())
