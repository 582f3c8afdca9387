"""The clone that a command is run in: where its pytest starts, and where what is not named otherwise lies."""

import os
from pathlib import Path

MARK = Path("bench", "__main__.py")  # what the root of a clone holds, and no folder in it: tests/ has a bench too


def clone_root() -> Path:
    """Return the root of the clone that holds the current folder.

    Raises:
        ValueError: if none does.
    """
    found = _root()
    if found is None:
        held = MARK.as_posix()
        raise ValueError(f"this command must be run in a clone, a folder with {held}, got {Path.cwd()}; cd into one")
    return found


def in_clone(path: Path) -> Path:
    """Return where a command's default, relative to the clone's root, lies as seen from here; outside one, as it is."""
    root = _root()
    return Path(os.path.relpath(root / path)) if root else path


def _root() -> Path | None:
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / MARK).is_file()), None)
