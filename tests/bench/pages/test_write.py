"""Tests of how a page is written: what lies beside it, under which names, and in which order."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from bench.pages.drawing import Drawing
from bench.pages.twins.documents import read_settings
from bench.pages.twins.page import twins_page
from bench.pages.write import Content, page_text, write_page
from tests.bench.pages.sample_twins import TRAINED, write


@pytest.fixture
def content(tmp_path: Path) -> Content:
    path = write(tmp_path, TRAINED)
    return twins_page([path], read_settings(path))


def test_tables_and_figures_lie_beside_the_page_and_are_named_after_it(content: Content, tmp_path: Path) -> None:
    out = tmp_path / "new" / "my page.md"
    written = write_page(out, content, "the command")
    assert [path.relative_to(out.parent).as_posix() for path in written] == [
        *("my page.md", *(f"tables/my-page-{name}.csv" for name in ("values", "power"))),
        *(f"images/my-page-{name}.svg" for name in ("relations", "msi", "scores", "bins")),
    ]
    assert all(path.is_file() for path in written)
    assert all(f"]({path.relative_to(out.parent).as_posix()})" in out.read_text() for path in written[1:])


def test_a_table_without_rows_is_neither_written_nor_linked_to(tmp_path: Path) -> None:
    plain = Content("records.md", {"sources": []}, {"gains": []}, {})
    assert write_page(tmp_path / "page.md", plain, "the command") == [tmp_path / "page.md"]
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


def test_the_page_comes_last_and_not_at_all_where_a_figure_cannot_be_drawn(content: Content, tmp_path: Path) -> None:
    def refuse() -> Figure:
        raise ValueError("no figure")

    with pytest.raises(ValueError, match="no figure"):
        write_page(tmp_path / "page.md", content._replace(figures={"msi": Drawing(refuse)}), "the command")
    assert not (tmp_path / "page.md").exists()


def test_the_page_ends_with_its_records_and_its_command(content: Content) -> None:
    assert page_text(Path("page.md"), content, "a|b").endswith(
        "## Records\n\n- 1 record (results)\n\nWritten by `a`&#124;`b`.\n"
    )
