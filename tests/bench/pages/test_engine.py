"""Tests of pages from templates."""

import jinja2
import pytest

from bench.gate.stats import Interval
from bench.pages.engine import TEMPLATES, render


def rendered(text: str, **facts: object) -> str:
    return TEMPLATES.from_string(text).render(facts)


def test_rows_become_a_table_through_filters() -> None:
    said = rendered("{{ [[name | code, gain | ratio, took | time]] | table('who', 'gain', 'took') }}",
                    name="a|b", gain=Interval(1.5, 1.25, 2.0), took=0.0123)  # fmt: skip
    assert [[cell.strip() for cell in line.strip("|").split(" | ")] for line in said.splitlines()][::2] == [
        ["who", "gain", "took"],
        ["`a`&#124;`b`", "1.50x [1.25, 2.00]", "12.3 ms"],
    ]


def test_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'gain' is undefined"):
        rendered("{{ gain }}")


def test_a_template_that_is_not_there_is_an_error() -> None:
    with pytest.raises(jinja2.TemplateNotFound, match="no_page"):
        render("no_page/template.md", {})
