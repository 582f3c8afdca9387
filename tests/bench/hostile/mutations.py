"""Documents with something wrong in them: fields lost, renamed, doubled or of another kind; bytes flipped or cut."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

Json = Any
Place = tuple[Any, Any]  # a container, and the key or index within it

RAW = "raw:"  # stands for a number as it is written, which Python could not
VALUES = (
    *(None, True, False, 0, 1, -1, 3, 0.5, -0.5, 2**63, 2**64 - 1, -(2**63), 1e308, -1e308, 1e100, 5e-324),
    *("", " ", "x", "moe", "\x00", "\u202e", "\ud800", "../../etc", "2026-13-45", "nan", "1", "[x](y)", "a" * 3000),
    *([], {}, [[]], [None], [0], ["x"], {"": None}, {"all": {}}),
    *(f"{RAW}{text}" for text in ("1e400", "-1e400", "1" + "0" * 400, "NaN", "Infinity", "-0", "1" * 5000)),
)


def _places(document: Json) -> Iterator[Place]:
    keys = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in keys:
        yield document, key
        yield from _places(document[key])


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


CHANGES: tuple[Callable[[st.DrawFn, Place], None], ...] = (_replace, _replace, _remove, _double, _rename, _wrap, _scale)


@st.composite
def mutated(draw: st.DrawFn, good: Json) -> Json:
    """Draw a document that differs from a good one at one to three places."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if places:
            draw(st.sampled_from(CHANGES))(draw, places[draw(st.integers(0, len(places) - 1))])
    return document


def written(document: Json) -> bytes:
    """Return a document's JSON, its raw numbers as they are."""
    text = json.dumps(document)
    for value in VALUES:
        if isinstance(value, str) and value.startswith(RAW):
            text = text.replace(json.dumps(value), value.removeprefix(RAW))
    return text.encode()


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
