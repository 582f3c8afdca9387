"""The note beside a compiled library: its SHA-256, its size, and hashes of what it was made from."""

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path

from moevlm.kernels.cpu.trust import writable_by_others

SUFFIX = ".digest"
MOST_BYTES = 4096  # of a note


def beside(library: Path) -> Path:
    """Return the path of a library's note."""
    return library.with_name(library.name + SUFFIX)


def note(library: Path, made_from: Mapping[str, str]) -> None:
    """Write the note of a library that has just been made.

    Args:
        library: The file.
        made_from: Hashes of what it was made from, by name.
    """
    lines = (f"{name}: {value}\n" for name, value in {**_digest(library.read_bytes()), **made_from}.items())
    beside(library).write_text("".join(lines), encoding="utf-8")


def flaw(library: Path, made_from: Mapping[str, str]) -> str | None:
    """Say why a library must not be loaded: it is not what was noted, not made from these, or not this user's.

    Args:
        library: The file, in a folder that others cannot write.
        made_from: As `note`; a thing that is not named may be any.

    Returns:
        What follows the library's name in a sentence; None: it is what this process would compile.
    """
    try:
        return next(filter(None, map(_strange, (library, beside(library)))), None) or _difference(library, made_from)
    except OSError as error:
        return f"or its digest cannot be read: {error.strerror}"


def _difference(library: Path, made_from: Mapping[str, str]) -> str | None:
    noted = _noted(beside(library))
    if not noted.keys() >= {"bytes", "sha256", *made_from}:
        return "has a damaged digest"
    other = [name for name, value in made_from.items() if noted[name] != value]
    if other:
        return f"was compiled for another {other[0]}"
    size = str(library.stat().st_size)
    if size != noted["bytes"]:  # so that no more is read than was compiled
        return f"holds {size} bytes, {noted['bytes']} were compiled"
    return (
        None if _digest(library.read_bytes())["sha256"] == noted["sha256"] else "holds other bytes than were compiled"
    )


def _strange(path: Path) -> str | None:
    if not stat.S_ISREG(path.lstat().st_mode):
        return f"is not a plain file beside a plain digest: {path}"
    reason = writable_by_others(path)
    return reason and f"may not be the user's own: {reason}"


def _digest(held: bytes) -> dict[str, str]:
    return {"bytes": str(len(held)), "sha256": hashlib.sha256(held).hexdigest()}


def _noted(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        text = file.read(MOST_BYTES).decode(errors="replace")
    return {name: value for name, _, value in (line.partition(": ") for line in text.splitlines())}
