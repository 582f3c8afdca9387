"""The file that keeps which way was chosen for each shape on this machine, beside the compiled kernels.

It lies where they lie and is read under their rules: this user's own, a plain file, made for this processor, these
kernels and this way of choosing. What is not is measured anew.
"""

import json
import math
import stat
import tempfile
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from moevlm.kernels.cpu.cache import REMEDY, put
from moevlm.kernels.cpu.lock import locked
from moevlm.kernels.cpu.trust import writable_by_others

MOST_BYTES = 1 << 20  # of a file; an entry has some 150
MOST_WAIT_S = 120  # for another process that measures
MARGIN = 1.1  # a choice changes only for a way that is faster by more


class Choice(NamedTuple):
    """The way of one shape and number of rows, and what was measured when it was chosen."""

    way: str
    seconds: Mapping[str, float]  # by way


Choose = Callable[[str], Choice]  # from the way that was chosen before; empty: none was


def better(incumbent: str, seconds: Mapping[str, float]) -> str:
    """Return the fastest way where it beats the incumbent by more than MARGIN, else the incumbent.

    >>> better("kernels", {"kernels": 1.05, "products": 1.0}), better("kernels", {"kernels": 1.2, "products": 1.0})
    ('kernels', 'products')
    """
    fastest = min(seconds, key=lambda way: seconds[way])
    return fastest if seconds[incumbent] > MARGIN * seconds[fastest] else incumbent


def find_or_choose(path: Path, name: str, ways: Collection[str], choose: Choose) -> str:
    """Return the way that is kept under a name, or choose it now, while no other process measures, and keep it.

    Args:
        path: The file. Others of its folder whose names differ in the last part alone are of older kernels.
        name: Of the shape and the rows.
        ways: That compute the shape.
        choose: Measures.
    """
    if kept := _kept(path, name, ways):
        return kept
    try:
        with locked(path.with_name("ways.lock"), most_wait_s=MOST_WAIT_S):
            known = _known(path, name, ways)
            if name not in known:
                known[name] = choose(_before(path, name, ways))
                _write(path, known)
            return known[name].way
    except OSError as error:
        warnings.warn(f"moevlm's choice of CPU kernels cannot be kept: {error}; {REMEDY}", stacklevel=2)
        return choose("").way


def read(path: Path, name: str, ways: Collection[str]) -> dict[str, Choice]:
    """Return the choices that a file keeps.

    Args:
        path: The file.
        name: Whose choice is wanted, if it is there.
        ways: That compute its shape.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It may not be this user's own, is no such file, or `name` was chosen among other ways.
        OSError: It cannot be read.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError("is not a plain file")
    if reason := writable_by_others(path):
        raise ValueError(f"may not be the user's own: {reason}")
    with path.open("rb") as file:
        held = file.read(MOST_BYTES + 1)
    if len(held) > MOST_BYTES:
        raise ValueError(f"must hold at most {MOST_BYTES} bytes, got more")
    document = json.loads(held)
    if not isinstance(document, dict) or document.keys() != {"of", "ways"} or not isinstance(document["ways"], dict):
        raise ValueError("must hold what it is of and ways")
    if document["of"] != path.stem:
        raise ValueError(f"must be of {path.stem}, got {document['of']!r:.80}")
    known = {each: _choice(each, entry) for each, entry in document["ways"].items()}
    if name in known and set(known[name].seconds) != set(ways):
        raise ValueError(f"must hold the seconds of {', '.join(ways)} for {name}, got {', '.join(known[name].seconds)}")
    return known


def _choice(name: str, entry: Any) -> Choice:
    if not isinstance(entry, dict) or entry.keys() != {"way", "seconds"} or not isinstance(entry["seconds"], dict):
        raise ValueError(f"must hold a way and seconds of {name}, got {entry!r:.80}")
    way, seconds = entry["way"], entry["seconds"]
    if not all(map(_is_time, seconds.values())):
        raise ValueError(f"must hold seconds above 0 of {name}, got {seconds!r:.80}")
    if not isinstance(way, str) or way not in seconds or better(way, seconds) != way:
        raise ValueError(f"must hold a way for {name} that its seconds allow, got {way!r:.80} of {seconds!r:.80}")
    return Choice(way, seconds)


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0


def _known(path: Path, name: str, ways: Collection[str]) -> dict[str, Choice]:
    """Read a file; one that cannot be used is said to be measured anew."""
    try:
        return read(path, name, ways)
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:  # a damaged file is a ValueError too
        warnings.warn(f"moevlm measures its CPU kernels anew: {path} {error}", stacklevel=2)
        return {}


def _kept(path: Path, name: str, ways: Collection[str]) -> str:
    """Return the way that a file keeps; empty: it keeps none, or cannot be used."""
    try:
        known = read(path, name, ways)
    except (ValueError, OSError):
        return ""
    return known[name].way if name in known else ""


def _before(path: Path, name: str, ways: Collection[str]) -> str:
    """Return the way that the newest file of other kernels on this processor keeps; empty: none does."""
    family = path.stem.rpartition("-")[0]
    others = sorted(path.parent.glob(f"{family}-*.json"), key=_age)
    return next(filter(None, (_kept(other, name, ways) for other in others if other != path)), "")


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:  # it has just been removed
        return 0.0


def _write(path: Path, known: Mapping[str, Choice]) -> None:
    document = {"of": path.stem, "ways": {name: choice._asdict() for name, choice in known.items()}}
    with tempfile.TemporaryDirectory(prefix="choosing-", dir=path.parent) as scratch:
        made = Path(scratch) / path.name
        made.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        put(made, path.parent)
