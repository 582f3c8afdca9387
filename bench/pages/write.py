"""The one way in which a page is written: tables as files beside it, figures beside it, and its template's text."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.harness.writing import replace_text
from bench.pages.drawing import Drawing
from bench.pages.engine import render
from bench.pages.tables import csv_text

FOLDERS = {".csv": "tables", ".svg": "images"}  # beside the page; pages of one folder share them


class Content(NamedTuple):
    """What a page holds."""

    template: str  # its file, below this folder
    facts: Mapping[str, Any]  # what the template names, but for links to tables and figures, and the command
    tables: Mapping[str, Sequence[Any]]  # rows by the table's name; one without rows is not written
    figures: Mapping[str, Drawing]


def write_page(out: Path, content: Content, command: str) -> list[Path]:
    """Write tables, figures and, last, the page: it never links to what could not be written.

    Args:
        out: the page.
        content: what it holds.
        command: that writes it, as it says.

    Returns:
        The files.
    """
    tables, figures = _links(out, content)
    for name, link in tables.items():
        replace_text(out.parent / link, csv_text(content.tables[name]))
    for name, link in figures.items():
        content.figures[name].save(out.parent / link)
    replace_text(out, page_text(out, content, command))
    return [out, *(out.parent / link for link in (*tables.values(), *figures.values()))]


def page_text(out: Path, content: Content, command: str) -> str:
    """Return the page as it reads at its place."""
    tables, figures = _links(out, content)
    return render(content.template, {**content.facts, "tables": tables, "figures": figures, "command": command})


def _links(out: Path, content: Content) -> tuple[dict[str, str], dict[str, str]]:
    """Return by name where tables and figures lie, relative to the page."""
    held = [name for name, rows in content.tables.items() if rows]
    return {name: link_to(out, f"{name}.csv") for name in held}, {
        name: link_to(out, f"{name}.svg") for name in content.figures
    }


def link_to(out: Path, name: str) -> str:
    """Name a file that belongs to a page, relative to it.

    >>> link_to(Path("docs/my page.md"), "bins.svg")
    'images/my-page-bins.svg'
    """
    stem = re.sub(r"[^\w.-]+", "-", out.stem)  # of a link: no spaces
    return f"{FOLDERS[Path(name).suffix]}/{stem}-{name}"
