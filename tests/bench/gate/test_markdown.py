"""Tests of markdown tables: what names hold starts no markup; spans and folded parts are tested in test_comment.py."""

from bench.gate.markdown import escape, markdown_table


def test_markdown_escapes_what_names_may_hold() -> None:
    table = markdown_table(("a|b",), [["<img>\nx|y\\"]])
    assert table.splitlines()[0].replace(" ", "") == r"|a\|b|"
    assert r"&lt;img&gt; x\|y\\" in table
    assert len(table.splitlines()) == 3
    assert escape("plain") == "plain"


def test_markdown_keeps_numbers_as_they_were_written() -> None:
    assert "| 1.50 |" in markdown_table(("x",), [["1.50"]])
