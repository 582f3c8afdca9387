"""Documents are for people with little time: conclusions fit two screens, all pages together a hundred kilobytes."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_BYTES = 100_000  # of all pages of docs/
MOST_LINES = 100  # of one page of conclusions: two screens of 50 lines
COLUMNS = 120  # a line of text as GitHub sets it on a wide screen
CONCLUSIONS = ("results", "pareto", "specialization", "twins", "method")
TARGET = re.compile(r"\]\([^)]*\)")  # what a reader does not see of a link
NOT_SHOWN = re.compile(r"\|[-:|]+\|")  # the line below a table's headers


def blocks(text: str) -> Iterator[str]:
    """Yield what stands on lines of its own: a row, an item, a paragraph, and an empty line between them."""
    paragraph = ""
    for line in text.splitlines():
        begins = not line.strip() or re.match(r"[#|!>]|```|- |\d+\. ", line.lstrip())
        if begins and paragraph:
            yield paragraph
            paragraph = ""
        paragraph = f"{paragraph} {line.strip()}".strip()
        if not line.strip():
            yield ""
    if paragraph:
        yield paragraph


def lines_on_screen(text: str) -> int:
    """Return how many lines a page takes, its links as the words that are seen."""
    shown = [TARGET.sub("", block) for block in blocks(text) if not NOT_SHOWN.fullmatch(block)]
    return sum(max(1, math.ceil(len(block) / COLUMNS)) for block in shown)


def test_lines_are_those_that_a_reader_sees() -> None:
    long = "word " * 48  # 240 columns in all, but for the last space
    assert lines_on_screen("# Title\n\n" + long.strip() + "\nand more\n") == 1 + 1 + 3
    assert lines_on_screen("| a | b |\n|---|---|\n| 1 | 2 |\n") == 2
    assert lines_on_screen(f"- one\n  still one\n- [two]({'x' * 200})\n") == 2


def test_all_documents_together_are_short() -> None:
    sizes = {path.name: path.stat().st_size for path in ROOT.glob("docs/*.md")}
    assert len(sizes) > len(CONCLUSIONS)
    assert sum(sizes.values()) < MOST_BYTES, sizes


@pytest.mark.parametrize("name", CONCLUSIONS)
def test_a_page_of_conclusions_is_two_screens(name: str) -> None:
    assert lines_on_screen((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")) <= MOST_LINES
