"""A comment that anyone may have written, read by GitHub's own library once it may be posted."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.gate.comment import comment
from bench.gate.posted import MARKER, MOST_LETTERS, NOTICE, UNSEEN, cut, posted
from tests.bench.gate.test_comment import comparison_that_names
from tests.bench.github import page_of
from tests.bench.hostile_names import HOSTILE

ROOT = Path(__file__).parents[3]
CALLING = {"a mention", "an issue", "an advisory"}
LEADING = {"a", "img", "script", "input", "form", "iframe", "style"}
FOLDED = "<details><summary>more</summary>\n\n| a |\n|---|\n"


def of(text: str) -> str:
    return posted(f"{MARKER}\n{text}".encode("utf-8", errors="surrogatepass"))


def test_who_wrote_it_stands_first() -> None:
    said = page_of(of("### OK"))
    assert said.text.strip().startswith(NOTICE.strip("*"))
    assert said.elements[:3] == ["!--", "p", "em"]


def test_the_run_that_measured_is_the_one_link() -> None:
    run = "https://github.com/a-b/c.d/actions/runs/42"
    page = page_of(posted(f"{MARKER}\n**OK** https://example.org".encode(), run))
    assert page.elements.count("a") == 1
    assert f'href="{run}#artifacts"' in page.html
    assert "Run, record and report" in page.text


def test_each_workflow_has_a_comment_of_its_own_that_is_found_again() -> None:
    assert posted(MARKER.encode(), of="perf-cpu").startswith(f"{MARKER}<!-- perf-cpu -->\n")
    with pytest.raises(ValueError, match="a workflow's name must be letters"):
        posted(MARKER.encode(), of="perf --> <b>")


@pytest.mark.parametrize(
    "run", ["https://github.com/a/b/actions/runs/4)x", "javascript:1", "http://a/b/c/actions/runs/4"]
)
def test_an_address_of_no_run_is_refused(run: str) -> None:
    with pytest.raises(ValueError, match="a run must be https://"):
        posted(MARKER.encode(), run)


def test_whatever_it_holds_calls_nobody_and_leads_nowhere() -> None:
    for name in HOSTILE:
        page = page_of(of(f"{name}\n\nx {name} *a*{name}_b_{name}\n\n| a |\n|---|\n| {name} |\n\n`{name}`"))
        assert not CALLING & set(page.found), name
        assert not (LEADING - {"input"}) & set(page.elements), name  # a list of tasks leads nowhere
        assert MARKER not in of(name).removeprefix(MARKER), name


def test_a_comment_of_ours_looks_as_it_did() -> None:
    for name in ("bench_decode[7b@4-b1]", "k<T|U> & co", "@team #1"):
        text = comment(comparison_that_names(name))
        ours, shown = page_of(text), page_of(posted(text.encode()))
        assert shown.text.replace(UNSEEN, "").replace(f"{NOTICE.strip('*')}\n", "", 1) == ours.text
        assert [shown.elements[0], *shown.elements[3:]] == ours.elements


def test_what_is_not_ours_is_refused() -> None:
    for other in (b"", b"x", b" " + MARKER.encode(), b"\xff" + MARKER.encode()):
        with pytest.raises(ValueError, match="must begin with <!-- moevlm ab -->"):
            posted(other)


@pytest.mark.parametrize("row", ["| é |", "| \N{GRINNING FACE} |", "| `a` |"])
@pytest.mark.parametrize("more", range(2))
def test_a_long_one_is_cut_behind_a_line_and_folded_parts_are_closed(row: str, more: int) -> None:
    said = of("x" * more + "\n\n" + FOLDED + f"{row}\n" * (MOST_LETTERS // len(row)))
    assert MOST_LETTERS - 300 < len(said) <= MOST_LETTERS
    *_, last = page_of(said).text.split("\n\n")
    assert last.strip() == "(cut: too long for a comment)"
    assert said.count("</details>") == said.count("<details>") == 1
    table = said[said.index(FOLDED) + len(FOLDED) : said.index("\n\n</details>")]
    assert set(table.splitlines()) == {row}


def test_bytes_that_are_no_text_and_a_line_without_end_are_cut_too() -> None:
    assert "�" in posted(MARKER.encode() + b"\n\xe2\x82")
    for endless in ("x" * 10**6, "@a" * 10**6, "<details>\n" * 10**5):
        assert len(of(endless)) <= MOST_LETTERS
    assert cut("a\nb", 3) == "a\nb"


def test_the_file_runs_on_what_python_brings_along(tmp_path: Path) -> None:
    (tmp_path / "ab.md").write_text(f"{MARKER}\n@team")
    program = [sys.executable, "-S", "-m", "bench.gate.posted", str(tmp_path / "ab.md"), str(tmp_path / "out.md")]
    subprocess.run(program, cwd=ROOT, check=True)
    assert (tmp_path / "out.md").read_text() == f"{MARKER}\n{NOTICE}\n\n@{UNSEEN}team"
    (tmp_path / "ab.md").write_text("@team")
    refused = subprocess.run(program, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (refused.returncode, refused.stderr.startswith("error: a comment to post must begin")) == (4, True)
