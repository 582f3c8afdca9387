"""Documents with something wrong in them: fields lost, renamed, doubled or of another kind; bytes flipped or cut."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from bench.harness.record import seal

Json = Any
Place = tuple[Any, Any]  # a container, and the key or index within it

RAW = "raw:"  # stands for a number as it is written, which Python could not
VALUES = (
    *(None, True, False, 0, 1, -1, 3, 0.5, -0.5, 2**63, 2**64 - 1, -(2**63), 1e308, -1e308, 1e100, 5e-324),
    *("", " ", "x", "moe", "\x00", "\u202e", "\ud800", "../../etc", "2026-13-45", "nan", "1", "[x](y)", "a" * 3000),
    *([], {}, [[]], [None], [0], ["x"], {"": None}, {"all": {}}),
    *(f"{RAW}{text}" for text in ("1e400", "-1e400", "1" + "0" * 400, "NaN", "Infinity", "-0", "1" * 5000)),
    *(f"{RAW}{'[' * depth}{']' * depth}" for depth in (70, 5000)),
)


def _kinds(document: Json) -> dict[tuple[Any, ...], list[Place]]:
    """Group the places in a document by what they are for: entries of a list are of one kind."""
    found: dict[tuple[Any, ...], list[Place]] = {}
    for kind, place in _places(document, ()):
        found.setdefault(kind, []).append(place)
    return found


def _places(document: Json, within: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Place]]:
    keys = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in keys:
        kind = (*within, key if isinstance(document, dict) else "[]")
        yield kind, (document, key)
        yield from _places(document[key], kind)


def _replace(draw: st.DrawFn, place: Place) -> None:
    place[0][place[1]] = copy.deepcopy(draw(st.sampled_from(VALUES)))


def _remove(_draw: st.DrawFn, place: Place) -> None:
    del place[0][place[1]]


def _double(_draw: st.DrawFn, place: Place) -> None:
    container, key = place
    if isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    else:
        container[f"{key} "] = container[key]


def _rename(draw: st.DrawFn, place: Place) -> None:
    container, key = place
    if isinstance(container, dict):
        container[draw(st.sampled_from(["", "x", f"{key}s", str(key).upper(), "\ud800", "__class__"]))] = container.pop(
            key
        )


def _wrap(_draw: st.DrawFn, place: Place) -> None:
    place[0][place[1]] = [place[0][place[1]]]


def _scale(draw: st.DrawFn, place: Place) -> None:
    value = place[0][place[1]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        place[0][place[1]] = value * draw(st.sampled_from([-1, 0, 1e-6, 1e6, 1e60, 1e200]))


WRONG: tuple[Any, ...] = (None, True, -1, 0.5, "x", "", [], {}, f"{RAW}1e400")
LOST = object()
NUM_CHANGES = (1, 1, 1, 2)  # of several, one that is refused hides the others
CHANGES: tuple[Callable[[st.DrawFn, Place], None], ...] = (_replace, _replace, _remove, _double, _rename, _wrap, _scale)


@st.composite
def mutated(draw: st.DrawFn, good: Json) -> Json:
    """Draw a document that differs from a good one at a place of any kind, or at two."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.sampled_from(NUM_CHANGES))):
        if kinds := list(_kinds(document).values()):
            draw(st.sampled_from(CHANGES))(draw, draw(st.sampled_from(draw(st.sampled_from(kinds)))))
    return document


def swept(good: Json) -> Iterator[Json]:
    """Yield a good document with each kind of value lost, or replaced by each that is wrong somewhere."""
    for kind in _kinds(good):
        for value in (*WRONG, LOST):
            document = copy.deepcopy(good)
            container, key = _kinds(document)[kind][0]
            if value is LOST:
                del container[key]
            else:
                container[key] = copy.deepcopy(value)
            yield document


def written(document: Json) -> bytes:
    """Return a document's JSON, its raw numbers as they are."""
    text = json.dumps(document)
    for value in VALUES:
        if isinstance(value, str) and value.startswith(RAW):
            text = text.replace(json.dumps(value), value.removeprefix(RAW))
    return text.encode()


def resealed(sealed: Json) -> bytes:
    """Write a record under a checksum that fits, where it still has a header."""
    try:
        return written(seal(sealed))
    except (KeyError, TypeError, IndexError, ValueError, AttributeError):
        return written(sealed)


def _cut(draw: st.DrawFn, content: bytes) -> bytes:
    return content[: draw(st.integers(0, max(0, len(content) - 1)))]


def _flip(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, max(0, len(content) - 1)))
    return content[:place] + bytes([draw(st.integers(0, 255))]) + content[place + 1 :]


def _insert(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, len(content)))
    noise = [b"\xff", b"\x00", b"[" * 2000, b'{"a":' * 2000, b",", b'"', b"}", b"\xef\xbb\xbf", b"\\ud800", b"1e999"]
    return content[:place] + draw(st.sampled_from(noise)) + content[place:]


def _twice(draw: st.DrawFn, content: bytes) -> bytes:
    """Write a key twice, the second time with its old value."""
    places = [place for place in range(len(content)) if content.startswith(b'": ', place)]
    if not places:
        return content
    end = draw(st.sampled_from(places)) + 1
    key = content[content.rindex(b'"', 0, end - 1) : end]
    start = end - len(key)
    return content[:start] + key + b": null, " + content[start:]


SPOILINGS: tuple[Callable[[st.DrawFn, bytes], bytes], ...] = (_cut, _flip, _insert, _twice)


@st.composite
def spoiled(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw bytes that differ from those of a good file."""
    return draw(st.sampled_from(SPOILINGS))(draw, content)
