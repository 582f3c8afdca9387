"""The folder that keeps compiled libraries: each is named by what it was made from, made once, and put there whole.

A library is only loaded out of a folder that this user alone can write, and after its digest was checked.
"""

import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from moevlm.kernels.cpu import digest
from moevlm.kernels.cpu.lock import locked
from moevlm.kernels.cpu.trust import writable_by_others

BUILDING = "building-"  # begins the name of a folder that a compiler writes to
MOST_WAIT_S = 330  # for another process that compiles: a little longer than it may take
NO_COMPILER = "a C++ compiler must be there (g++, clang++ or CXX), found none; install one"
REMEDY = "set TORCH_EXTENSIONS_DIR to a folder that you alone can write"

Make = Callable[[Path], object]


class Wanted(NamedTuple):
    """A library to be found, or to be made."""

    made_from: Mapping[str, str]  # hashes by name; without "compiler": any compiler's library will do
    make: Make | None  # writes it to a path; None: it cannot be made here
    refused: Mapping[Path, str]  # libraries that could not be used, and why


class Found(NamedTuple):
    """A library that may be loaded."""

    path: Path
    is_new: bool  # this process has just made it


def find_or_make(wanted: Wanted) -> Found:
    """Return the library out of the first folder that can be used, and make it if need be.

    Raises:
        OSError: No folder can be used, or none has the library and it cannot be made here.
        What `make` raises is passed on.
    """
    troubles: list[str] = []
    for folder in FOLDERS:
        try:
            found = _found(folder(), wanted)
        except OSError as error:
            troubles += filter(None, [str(error)])
            continue
        if troubles:
            reasons = "; ".join([*troubles, REMEDY])
            warnings.warn(f"moevlm keeps its CPU kernels as {found.path}: {reasons}", stacklevel=2)
        return found
    if wanted.make:
        raise OSError("; ".join(["no folder can keep the compiled library", *troubles, REMEDY]))
    raise OSError("; ".join([NO_COMPILER, *troubles]))


def drop(library: Path) -> None:
    """Remove a library, so that the next process makes it anew."""
    with suppress(OSError):  # where it cannot be removed, the next process refuses it again
        digest.beside(library).unlink()


def _torch_extensions() -> Path:
    return (Path(os.environ.get("TORCH_EXTENSIONS_DIR") or _home_extensions()) / "moevlm").resolve()


def _home_extensions() -> str:
    from torch.utils.cpp_extension import get_default_build_root  # it imports setuptools

    if not os.environ.get("XDG_CACHE_HOME") and os.path.expanduser("~") == "~":  # noqa: PTH111  # else "~" here
        raise FileNotFoundError("this user has no home folder (HOME)")
    return get_default_build_root()


def _temporary() -> Path:
    return Path(tempfile.gettempdir()).resolve() / f"moevlm-{os.geteuid()}"  # which is followed nowhere if it is a link


FOLDERS = (_torch_extensions, _temporary)  # the best first


def _found(folder: Path, wanted: Wanted) -> Found:
    _check(folder)
    library = folder / _name(wanted.made_from)
    flaws = {path: _flaw(path, wanted) for path in sorted(folder.glob(library.name))}
    for path, flaw in flaws.items():
        if not flaw:
            return Found(path, False)
    if not wanted.make:  # nothing is said where there is no library
        raise FileNotFoundError("; ".join(f"{path} {flaw}" for path, flaw in flaws.items()))
    for above in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        above.mkdir(mode=0o755, exist_ok=True)  # whatever the umask lets others do
    _check(folder)
    with locked(folder / "lock", most_wait_s=MOST_WAIT_S):
        return _made(library, wanted, wanted.make)


def _check(folder: Path) -> None:
    reason = writable_by_others(folder)
    if reason:
        raise PermissionError(reason)


def _name(made_from: Mapping[str, str]) -> str:
    """Name a library, or a pattern of any compiler's."""
    rest = "\n".join(f"{name} {value}" for name, value in sorted(made_from.items()) if name != "compiler")
    return f"cpu-{hashlib.sha256(rest.encode()).hexdigest()[:16]}-{made_from.get('compiler', '*')[:8]}.so"


def _flaw(library: Path, wanted: Wanted) -> str | None:
    return wanted.refused.get(library) or digest.flaw(library, wanted.made_from)


def _made(library: Path, wanted: Wanted, make: Make) -> Found:
    """Make a library unless another process has, whose lock this one waited for."""
    flaw = _flaw(library, wanted)
    if flaw is None:
        return Found(library, False)
    if os.path.lexists(library):
        warnings.warn(f"moevlm compiles its CPU kernels anew: {library} {flaw}", stacklevel=2)
    for abandoned in library.parent.glob(f"{BUILDING}*"):  # by a process that was killed
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=BUILDING, dir=library.parent) as scratch:
        made = Path(scratch) / library.name
        make(made)
        digest.note(made, wanted.made_from)
        for each in (digest.beside(made), made):  # a digest without a library is no library; the reverse is a flaw
            put(each, library.parent)
    return Found(library, True)


def put(made: Path, folder: Path) -> None:
    """Move a file into its folder, which holds all of it or nothing whenever the machine stops."""
    made.chmod(made.stat().st_mode & ~0o022)
    _sync(made)
    made.replace(folder / made.name)
    with suppress(OSError):  # some file systems cannot: then the digest finds what is lost
        _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
