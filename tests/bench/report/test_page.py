"""The page's files: what a record says stays text, everything that is loaded is there, and small."""

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench.harness.record import Record
from bench.report.data import ReportData, report_data
from bench.report.inputs import Inputs, Problem, read_inputs
from bench.report.page import FOLDER, SCRIPTS, page_files, script_of, web_address, weight
from tests.bench.sample_records import document, record_of, scenario

ROOT = Path(__file__).parents[3]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"\\\u2028{{ 7 * 7 }}"


class Seen(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def hostile() -> ReportData:
    one = scenario({"moe": 1.0, HOSTILE: 2.0, "anchor": 1.0}, name=HOSTILE, params={"scale": HOSTILE})
    inputs = Inputs(records={HOSTILE: record_of(one, complete=False, not_fitting=({"scenario": HOSTILE},))})
    inputs.problems.append(Problem(HOSTILE, HOSTILE, is_asked=True))
    return report_data(inputs, baselines=None, repository="https://example.org/a/b")


def test_hostile_names_make_no_tag_of_the_page() -> None:
    usual, seen = Seen(), Seen()
    usual.feed(page_files(report_data(Inputs(records={"r": record_of()}), baselines=None))["index.html"].decode())
    page = page_files(hostile())["index.html"].decode()
    seen.feed(page)
    assert [tag for tag, _ in seen.tags].count("script") == [tag for tag, _ in usual.tags].count("script")
    assert "img" not in {tag for tag, _ in seen.tags}
    assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on")]
    assert "{{ 7 * 7 }}" in page


def test_hostile_names_end_no_script_and_come_out_as_they_are() -> None:
    files = page_files(hostile())
    script = files["data.js"].decode()
    assert "</script" not in script
    assert "<!--" not in script
    literal = re.fullmatch(r"window\.REPORT_DATA = JSON\.parse\('(.*)'\);\n", script, re.S)
    assert literal
    unescaped = re.sub(
        r"\\(x..|u....|.)", lambda found: chr(int(found[1][1:], 16)) if len(found[1]) > 1 else found[1], literal[1]
    )
    data = json.loads(unescaped)
    assert data == json.loads(files["data.json"])
    assert data["scenarios"][0]["id"] == HOSTILE
    assert data["problems"] == [[HOSTILE, HOSTILE]]


def test_a_quote_and_a_line_s_end_end_no_literal() -> None:
    assert script_of("{'\u2028\u2029\\}".encode()) == "window.REPORT_DATA = JSON.parse('{\\'\\u2028\\u2029\\\\}');\n"


def test_no_script_of_ours_makes_html_of_a_string_or_runs_one() -> None:
    for path in (FOLDER / "js").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text), (
            path
        )


def test_all_that_the_page_loads_is_written_beside_it_and_nothing_comes_from_elsewhere() -> None:
    files = page_files(hostile())
    seen = Seen()
    seen.feed(files["index.html"].decode())
    loaded = [attributes["src"] for tag, attributes in seen.tags if tag == "script"]
    loaded += [attributes["href"] for tag, attributes in seen.tags if tag == "link"]
    assert set(loaded) <= set(files)
    assert loaded[: len(SCRIPTS)] == list(SCRIPTS)
    assert list(files)[-1] == "index.html"
    (policy,) = [
        attributes["content"]
        for tag, attributes in seen.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "unsafe" not in policy.partition("script-src")[2].partition(";")[0]


def test_a_commit_is_linked_only_by_its_number_and_where_there_is_an_address() -> None:
    sha = "c0ffee" * 6 + "abcd"
    record = Record.from_document({**document(), "commit_info": {"id": sha, "dirty": False}})
    for repository, expected in (("https://example.org/a/b", [f"https://example.org/a/b/commit/{sha}"]), ("", [])):
        data = report_data(Inputs(records={"r": record}), baselines=None, repository=repository)
        seen = Seen()
        seen.feed(page_files(data)["index.html"].decode())
        assert [a["href"] for tag, a in seen.tags if tag == "a" and "/commit/" in (a["href"] or "")] == expected


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://example.org/a/b.git", "https://example.org/a/b"),
        ("https://user:secret@example.org:8443/a/b/", "https://example.org:8443/a/b"),
        ("git@example.org:a/b.git", "https://example.org/a/b"),
        ("ssh://git@example.org:22/a/b.git", "https://example.org/a/b"),
    ],
)
def test_a_remote_of_git_becomes_a_web_address_without_credentials(text: str, address: str) -> None:
    assert web_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "/srv/git/a.git", "javascript:alert(1)", "https://", "https://a/b<c>", "file:///a"]
)
def test_what_is_no_web_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must have a web address"):
        web_address(text)


def test_a_run_of_56_scenarios_weighs_less_than_2_mb() -> None:
    data = report_data(read_inputs([ROOT / "docs" / "records" / "proxy-cpu.json"]), baselines=None)
    assert len(data.scenarios) == 56
    assert weight(page_files(data)) < 2e6


def test_the_libraries_are_those_that_their_table_names() -> None:
    table = (FOLDER / "lib" / "README.md").read_text()
    named = dict(re.findall(r"^\| `([\w.]+)` .*`([0-9a-f]{64})` \|$", table, re.M))
    held = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (FOLDER / "lib").glob("*.js")}
    assert named == held
    for name in re.findall(r"\]\((LICENSE-\w+)\)", table):
        assert "Permission to use, copy, modify" in (FOLDER / "lib" / name).read_text()


def test_every_script_of_ours_is_loaded_and_small() -> None:
    ours = sorted((FOLDER / "js").glob("*.js"))
    assert {f"js/{path.name}" for path in ours} == {name for name in SCRIPTS if name.startswith("js/")}
    assert [path.name for path in ours if len(path.read_text().splitlines()) > 200] == []
