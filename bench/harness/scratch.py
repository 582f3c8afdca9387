"""Temporary folders that go with the run that made them, or with the next one where that was killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "moevlm-run-"  # of the folders' names
OWNER = "owner"  # file in each, locked as long as the run lives


@contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """Make a temporary folder, and remove it however the block ends; those of dead runs are removed before.

    Args:
        purpose: a word of its name, for whoever finds it.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        remove_abandoned(folder)
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{purpose}-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        owner = _own(folder)
        try:
            yield folder
        finally:
            os.close(owner)


def is_scratch(folder: Path) -> bool:
    """Tell by its name whether a folder is one of ours, alive or not."""
    return folder.name.startswith(PREFIX)


def remove_abandoned(folder: Path) -> bool:
    """Remove a folder of ours whose owner has died; return whether it is gone."""
    try:
        owner = os.open(folder / OWNER, os.O_RDWR)
    except FileNotFoundError:
        return not folder.exists()  # else it is being made, or removed
    except OSError:
        return False  # another user's
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return False  # its owner lives
    finally:
        os.close(owner)
    return not folder.exists()


def _own(folder: Path) -> int:
    """Lock the folder's file before it has its name: nobody finds it unlocked while we live."""
    part = folder / f"{OWNER}.part"
    descriptor = os.open(part, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    part.rename(folder / OWNER)
    return descriptor
