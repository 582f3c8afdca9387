"""JSON and TOML of any hand, read within limits: of size, depth and numbers, each key once, all of it Unicode."""

import errno
import gc
import json
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from fixtures.programs.visible import visible

MAX_BYTES = 2**28  # a record of 10,000 scenarios and 20 launches takes three quarters of it
MAX_TOML_BYTES = 2**20  # people write it, and its parser is slow
MAX_DEPTH = 64  # a record's is 8
LARGEST_INTEGER = 2**64 - 1  # a seed's
LARGEST_FLOAT = 1.7976931348623157e308
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # of a pair, or alone, which is no character


class DocumentError(ValueError):
    """A document breaks a rule.

    Args:
        rule: what must be, and what was got.
        file: which document; None where it is no file, or is not known yet.
        place: within it, as in "moevlm.kind.dtype"; empty for all of it.
        remedy: what to do.
    """

    def __init__(self, rule: str, *, file: object = None, place: str = "", remedy: str = "") -> None:
        self.rule, self.file, self.place, self.remedy = rule, file, place, remedy
        where = f"{file}: " if file is not None else ""
        said = f"{place}{' ' if place else ''}{rule}{'; ' if remedy else ''}{remedy}"
        super().__init__(f"{where}{visible(said)}")  # a document's own words end no line


class CorruptRecord(DocumentError):  # noqa: N818  # named after its verdict, CORRUPT
    """What a program wrote breaks a rule: it was cut short, changed, or written by another program."""


@contextmanager
def document_of(file: object, *, remedy: str, error: type[DocumentError] = CorruptRecord) -> Iterator[None]:
    """Name the file, and what to do with it, in the errors of what reads it.

    Raises:
        DocumentError: of the given class, for any within.
    """
    try:
        yield
    except DocumentError as found:
        raise error(found.rule, file=file, place=found.place, remedy=remedy) from found


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage while a document is built: it has no circles, and looking for them would double the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def content_of(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a regular file.

    Raises:
        FileNotFoundError: if there is none.
        DocumentError: if it is something else, too large, or cannot be read.
        OSError: if too many files are open, which says nothing of this one.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DocumentError(f"must be a file, got {'a folder' if path.is_dir() else 'a device or a pipe'}")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        raise DocumentError(f"must be a readable file, got {error.strerror}") from error
    if len(content) > max_bytes:
        raise DocumentError(f"must hold {max_bytes} bytes at most, got more")
    return content


def parse_json(content: bytes) -> Any:
    """Return what JSON says.

    Raises:
        DocumentError: if it is no JSON in UTF-8, or breaks a limit.
    """
    text = _text(content)
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise DocumentError(f"must be JSON, got {error}") from error
    except DocumentError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise DocumentError(f"must hold numbers of a size, got {error}") from error
    except RecursionError as error:
        raise _too_deep() from error
    if SURROGATE.search(text):
        _check_characters(document)
    _check_limits(document)
    return document


def parse_toml(content: bytes, *, is_ours: bool = True) -> dict[str, Any]:
    """Return what TOML says.

    Args:
        is_ours: Whether all in it is for us; of a file that others write in too, their numbers may be any.

    Raises:
        DocumentError: if it is no TOML in UTF-8, or breaks a limit.
    """
    try:
        document = tomllib.loads(_text(content))
    except tomllib.TOMLDecodeError as error:
        raise DocumentError(f"must be TOML, got {error}") from error
    except DocumentError:
        raise
    except ValueError as error:  # an integer of thousands of digits, or a date that no calendar has
        raise DocumentError(f"must hold numbers and dates of a size, got {error}") from error
    except RecursionError as error:
        raise _too_deep() from error
    if is_ours:
        _check_limits(document)
    return document


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DocumentError(f"must be UTF-8, got {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, of which JSON's own parser would keep the last of equal keys."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise DocumentError(f"must hold each key once, got {twice!r:.60} twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise DocumentError(f"must hold finite numbers, got {name}")


def _check_characters(document: object) -> None:
    """Demand that every text can be written again: half of a pair of surrogates is JSON, and no character."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DocumentError(f"must be Unicode, got half a character, {error.object[error.start]!a}") from error
    except RecursionError as error:
        raise _too_deep() from error


def _check_limits(document: object) -> None:
    """Demand numbers that arithmetic can take, and a depth that recursion can."""
    level: list[Any] = [[document]]
    for _ in range(MAX_DEPTH + 1):
        below = []
        for node in level:
            for child in node.values() if type(node) is dict else node:
                kind = type(child)
                if kind is float:
                    if not -LARGEST_FLOAT <= child <= LARGEST_FLOAT:
                        raise _number(document, child)
                elif kind is int:
                    if not -LARGEST_INTEGER <= child <= LARGEST_INTEGER:
                        raise _number(document, child)
                elif kind is dict or kind is list:
                    below.append(child)
        if not below:
            return
        level = below
    raise _too_deep()


def _too_deep() -> DocumentError:
    return DocumentError(f"must be nested {MAX_DEPTH} deep at most, got more")


def _number(document: object, value: float) -> DocumentError:
    place = next((place for place, leaf in leaves(document) if leaf is value), "")
    return DocumentError(f"must be a finite number of at most 64 bits, got {value!r:.40}", place=place)


def leaves(document: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value that is no container, and its place.

    >>> list(leaves({"a": [1, {"b": None}]}))
    [('a[0]', 1), ('a[1].b', None)]
    """
    children: Iterable[tuple[str, object]]
    if isinstance(document, dict):
        children = ((f"{place}.{key}" if place else str(key), child) for key, child in document.items())
    elif isinstance(document, list):
        children = ((f"{place}[{index}]", child) for index, child in enumerate(document))
    else:
        yield place, document
        return
    for where, child in children:
        yield from leaves(child, where)
