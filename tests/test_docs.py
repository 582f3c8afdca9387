"""What a reader reads: links lead to files and headings, commands are those there are, figures are of records."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from bench.__main__ import COMMANDS, main
from bench.commands.command_line import parser_of
from bench.commands.parsing import split
from bench.standalone import main as standalone
from fixtures.options import read_options
from moevlm.presets import PRESETS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob(".github/*.md"), *ROOT.glob("baselines/*.md")])
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)]*)?\)|(?:src|srcset)=\"([^\"]+)\"|`(docs/[\w./-]+\.\w+)`")
HEADING = re.compile(r"^#{1,6} (.+)$", re.M)
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)
NAMED = re.compile(r"`((?:python -m |pytest )[^`]+)`")  # a command in a sentence
MODULE = re.compile(r"(?:python|torchrun .*?) -m ([\w.]+)(.*)")
QUOTED = re.compile(r"\d[\d.]*x \[[^]]+\]")  # a speed-up with its interval


def targets(page: Path) -> list[tuple[Path, str]]:
    """Return the files that a page points to, by link from its folder or by name from the root, and their headings."""
    found = LINK.findall(page.read_text(encoding="utf-8"))
    links = [
        (page.parent / (link or image) if link or image else page, heading)
        for link, heading, image, _ in found
        if (link or heading or image) and "://" not in link
    ]
    return [(path.resolve(), heading) for path, heading in (*links, *((ROOT / name, "") for *_, name in found if name))]


def headings(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings: letters, digits and hyphens of their text."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in HEADING.findall(text))
    return {"#" + re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in plain}


def commands(page: Path) -> Iterator[str]:
    """Yield a page's commands: lines of its shell blocks, and those in sentences that name an option."""
    text = page.read_text(encoding="utf-8")
    for language, block in FENCED.findall(text):
        if language in ("console", "bash"):
            lines = block.replace("\\\n", " ").splitlines()
            yield from (
                part.strip(" ;") for line in lines for part in re.split(r" && |; (?:do|done)", line.split(" #")[0])
            )
    yield from (named for named in NAMED.findall(FENCED.sub("", text)) if " --" in named)


EVERY = [(page, command) for page in PAGES for command in commands(page)]
STANDALONE = sorted({command for _, command in EVERY if command.startswith("moevlm-bench ")})
HARNESS = sorted({command for _, command in EVERY if command.startswith("python -m bench ")})
RECIPES = ROOT / "docs" / "adding.md"  # measures what its reader has just added
PYTEST = sorted({command for page, command in EVERY if command.startswith("pytest bench") and page != RECIPES})
MODULES = sorted({command for _, command in EVERY if MODULE.match(command)} - set(HARNESS))


@pytest.fixture(scope="module")
def tracked() -> set[Path]:
    if not (ROOT / ".git").exists():
        return {path for path in ROOT.rglob("*") if path.is_file()}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {ROOT / name for name in listed.stdout.splitlines()}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_of_the_repository(page: Path, tracked: set[Path]) -> None:
    folders = {parent for path in tracked for parent in path.parents}
    assert [str(path) for path, _ in targets(page) if path not in tracked and path not in folders] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    asked = [(path, heading) for path, heading in targets(page) if heading and path.suffix == ".md"]
    assert [(path.name, heading) for path, heading in asked if heading not in headings(path)] == []


def test_links_and_headings_are_found() -> None:
    found = targets(ROOT / "README.md")
    assert (ROOT / "docs" / "records" / "proxy-cpu.json", "") in found
    assert (ROOT / "docs" / "images" / "results-speedups-dark.svg", "") in found
    assert (ROOT / "docs" / "gate.md", "#how-often-the-gate-errs") in found


def test_a_heading_becomes_githubs_anchor(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(
        "# SMoES: the *method*, at 5 %\n```\n# no heading\n```\n## [A link](x.md) & `code_name`\n"
    )
    assert headings(tmp_path / "page.md") == {"#smoes-the-method-at-5-", "#a-link--code_name"}


def test_every_page_of_docs_is_in_the_reading_order() -> None:
    listed = {path for path, _ in targets(ROOT / "docs" / "README.md")}
    assert [page.name for page in ROOT.glob("docs/*.md") if page not in listed and page.name != "README.md"] == []


@pytest.mark.parametrize("command", HARNESS)
def test_every_documented_command_of_the_harness_parses(command: str) -> None:
    ours, _ = split(shlex.split(command)[3:])
    assert parser_of(COMMANDS).parse_args(ours).run


@pytest.mark.parametrize("command", STANDALONE)
def test_every_documented_command_of_the_second_distribution_parses(command: str) -> None:
    ours, _ = split(shlex.split(command)[1:])
    assert parser_of(standalone.COMMANDS).parse_args(ours).run


@pytest.mark.parametrize("command", PYTEST)
def test_every_documented_option_of_pytest_is_known(command: str, pytestconfig: pytest.Config) -> None:
    config = pytest.Config.fromdictargs({}, [])
    arguments = [word for word in shlex.split(command)[1:] if word.startswith("-") or "bench" not in word]
    config.option = pytestconfig._parser.parse(["--device=cpu", *arguments])
    config.option.data = None  # a folder of the reader's
    assert read_options(config).scales


@pytest.mark.parametrize("command", MODULES)
def test_every_documented_module_is_there_and_has_the_options(command: str) -> None:
    found = MODULE.match(command)
    assert found
    spec = find_spec(found[1])
    assert spec
    assert spec.origin
    source = "\n".join(file.read_text() for file in Path(spec.origin).parent.rglob("*.py"))
    options = re.findall(r" --([\w-]+)", found[2])
    assert [option for option in options if not re.search(f'"(--)?{option}"', source)] == []


def test_the_speed_ups_that_the_readme_quotes_are_in_the_pages_that_it_links_to() -> None:
    section = (ROOT / "README.md").read_text().partition("## The answers so far")[2].partition("\n## ")[0]
    quoted = QUOTED.findall(section)
    answers = " ".join((ROOT / page).read_text() for page in re.findall(r"\]\((docs/\w+\.md)", section))
    assert quoted
    assert [one for one in quoted if one not in answers] == []


def test_the_views_that_the_readme_names_are_those_of_the_report() -> None:
    scripts = ROOT / "bench" / "report" / "static" / "js"
    views = re.findall(r"^    (\w+): \[", (scripts / "main.js").read_text(), re.M)
    axes = json.loads(re.findall(r"AXES = (\[.*\]);", (scripts / "state.js").read_text())[0])
    named = [parse_qs(part) for part in re.findall(r"#(view=[^`]+)`", (ROOT / "README.md").read_text())]
    assert named
    for one in named:
        assert set(one.pop("view")) <= set(views)
        assert set(one) <= set(axes)
        assert set(one.get("scale", ())) <= set(PRESETS)


def rows(text: str, columns: slice = slice(None)) -> set[tuple[str, ...]]:
    """Return the rows of the tables in a text, without padding."""
    lines = (line.strip("|").split("|") for line in text.splitlines() if line.startswith("|"))
    return {tuple(cell.strip(" `") for cell in cells[columns]) for cells in lines}


def test_what_the_readme_shows_of_a_run_is_in_its_record(capsys: pytest.CaptureFixture[str]) -> None:
    shown = (ROOT / "README.md").read_text().partition("## What it prints")[2].partition("\n## ")[0]
    assert main(["report", str(ROOT / "docs" / "records" / "proxy-cpu.json")]) == 0
    printed = capsys.readouterr().out
    measured = slice(8)  # the change against a baseline is of the run, not of its record
    assert rows(shown, measured) - rows(printed, measured) - {("---",) * 8} == set()
    assert printed.splitlines()[0] in " ".join(shown.split())


def test_every_table_is_led_to_by_a_page() -> None:
    led_to = {path for page in PAGES for path, _ in targets(page)}
    assert [path.name for path in ROOT.glob("docs/tables/*") if path not in led_to] == []
