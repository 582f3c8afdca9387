"""Can a result be written where it is wanted? Asked before anything is measured, not after."""

import tempfile
from pathlib import Path

from bench.harness.record import RecordWriteError

REMEDY = "name a path that may be written"


def check_writable(path: Path) -> None:
    """Make the folder of a file to come, and try a neighbour of it there.

    Raises:
        RecordWriteError: if the file system refuses, or a folder stands in its place.
    """
    if path.is_dir():
        raise RecordWriteError(f"{path} must be a file to write, got a folder; {REMEDY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise RecordWriteError(f"{path} must be writable, got {error}; {REMEDY}") from error
