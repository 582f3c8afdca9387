"""Names in markdown, read by GitHub's own library: each shows as it is, and none becomes more than text."""

import functools
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gate.markdown import code, escape, folded, github_table, markdown_table
from tests.bench.github import Page, page_of, seen
from tests.bench.hostile_names import HOSTILE
from tests.fixtures.programs.test_visible import LOOK_LIKE_NOTHING

PLACES: dict[str, Callable[[str], str]] = {  # where names stand
    "a line": lambda said: said,
    "a list": lambda said: f"- {said}\n- {said}",
    "a sentence": lambda said: f"x {said}: y",
    "bold": lambda said: f"**{said}**, x",
    "a heading": lambda said: f"### {said}",
    "a table": lambda said: github_table(["h", said], [[said, "x"], ["y", said]]),
    "a table by hand": lambda said: f"| h | {said} |\n|---|---|\n| {said} | x |",
    "a folded part": lambda said: folded("title", f"- {said}"),
}
NAMES = st.text("ab1 _*`~|\\<>[]()!#@$&;:/.\n-+='\"\x1b\u202e\u200b") | st.text(max_size=20)


def expected(name: str) -> str:
    """Return what must be seen of a name, character by character."""
    hidden = {one for one in name if ord(one) in LOOK_LIKE_NOTHING or unicodedata.category(one)[0] in "CZ"} - {
        *" \t\r\n"
    }
    return seen("".join(ascii(one)[1:-1] if one in hidden else one for one in name))


@functools.cache
def usual(place: str) -> Page:
    """Return the page of a name that is nothing else."""
    return page_of(PLACES[place]("NAME"))


def check(name: str, page: Page, plain: Page) -> None:
    assert page.found == [], name
    assert [one for one in page.elements if one != "code"] == plain.elements, name
    assert seen(page.text) == seen(plain.text.replace("NAME", expected(name))), name


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("write", [escape, code])
def test_a_name_shows_as_it_is_wherever_it_stands(write: Callable[[str], str], place: str) -> None:
    for name, said in HOSTILE.items():
        assert expected(name) == (said or name)
        check(name, page_of(PLACES[place](write(name))), usual(place))


@given(name=NAMES, place=st.sampled_from(sorted(PLACES)), write=st.sampled_from([escape, code]))
def test_so_does_any_text(name: str, place: str, write: Callable[[str], str]) -> None:
    if said := write(name):  # of nothing there is nothing to see
        check(name, page_of(PLACES[place](said)), usual(place))


@given(names=st.lists(NAMES, min_size=2, max_size=4))
def test_names_beside_one_another_make_nothing_together(names: list[str]) -> None:
    page = page_of(" ".join(map(escape, ["x", *names])))
    assert (set(page.elements) <= {"p", "code"}, page.found) == (True, [])
    assert seen(page.text) == seen(" ".join(["x", *map(expected, names)]))


def test_what_names_usually_are_stays_as_it_is() -> None:
    ours = ["bench_decode[7b@4-mmmu-uniform-b1-s2048]", "bench_x[a]:dense is", "specialized:6", "a (b) / c"]
    figures = ["+1.2 % [-0.5, +3.0]", "1.25x", "-3", "torch 2.13.0+cpu, 2 threads; 1,024 tokens"]
    assert [escape(usual) for usual in ours + figures] == ours + figures


def test_a_table_escapes_its_headers_and_its_cells() -> None:
    page = page_of(markdown_table(("a|b",), [["<img>\nx|y\\"]]))
    assert [word for word in re.split(r"\n+", page.text) if word] == ["a|b", r"<img> x|y\ ".strip()]
    assert (page.elements.count("tr"), page.elements.count("td")) == (2, 1)


def test_markdown_keeps_numbers_as_they_were_written() -> None:
    assert "| 1.50 |" in markdown_table(("x",), [["1.50"]])


@pytest.mark.parametrize("part", ["a@", "a:", "a", "a_", "@", "`", ":a", "]", "1", "a.", "\\"])
def test_a_long_name_takes_as_many_steps_as_it_has_letters(part: str) -> None:
    assert part in code(part * 200_000)  # with steps by the square this would not end in an hour
    assert part in escape(part * 200_000)
