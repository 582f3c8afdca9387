"""`report` and `track`: what they write and print, how they end, and what they refuse."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.harness import record
from tests.bench.gate.test_history import git
from tests.bench.sample_records import document
from tests.full_disk import largest_file


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("[tool.moevlm-bench]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def data_of(folder: Path) -> dict[str, list[dict[str, str]]]:
    loaded: dict[str, list[dict[str, str]]] = json.loads((folder / "data.json").read_text())
    return loaded


def test_a_page_of_a_record_is_written_and_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write(here / "r.json", document())
    assert main(["report", "r.json", "--html", "page"]) == 0
    printed = capsys.readouterr().out
    assert "shown: 2 scenarios, 2 speed-ups" in printed
    assert re.search(r"report: page/index\.html, 0\.\d MB; open it in a browser", printed)
    assert (here / "page" / "index.html").is_file()
    assert [one["id"] for one in data_of(here / "page")["scenarios"]] == [
        "bench_decode[tiny-b1]",
        "bench_prefill[tiny-b1]",
    ]


def test_without_names_it_shows_what_the_project_keeps_from_any_of_its_folders(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.write(here / "records" / "r.json", document())
    record.write(here / "docs" / "records" / "published.json", document())
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    assert main(["report", "--html", "page"]) == 0
    assert [one["file"] for one in data_of(here / "sub" / "page")["sources"]] == [
        "../records/r.json",
        "../docs/records/published.json",
    ]


def test_a_broken_file_that_is_named_ends_14_after_the_page_is_written(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record.write(here / "r.json", document())
    (here / "bad.json").write_text("{")
    assert main(["report", "r.json", "bad.json", "--html", "page"]) == 14
    assert "not shown: bad.json: must be JSON" in capsys.readouterr().err
    assert "bad.json" in (here / "page" / "index.html").read_text()


def test_a_broken_file_in_a_folder_is_said_and_ends_0(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write(here / "d" / "r.json", document())
    (here / "d" / "bad.json").write_text("{")
    assert main(["report", "d", "--html", "page"]) == 0
    assert "not shown: d/bad.json: must be JSON" in capsys.readouterr().err


@pytest.mark.parametrize("inputs", [[], ["d"], ["bad.json"]])
def test_nothing_to_show_is_an_error_and_no_page(
    here: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "d").mkdir()
    (here / "bad.json").write_text("{}")
    assert main(["report", *inputs, "--html", "page"]) == 4
    assert "a report must show something, got no record among" in capsys.readouterr().err
    assert not (here / "page").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["none.json", "--html", "page"], 13, "none.json"),
        (["r.json", "--html", "page", "--parts"], 4, "--parts is for the table of one record, got it with --html"),
        (["r.json", "--html", "page", "--baselines", "none"], 13, "none must be a folder of baselines"),
        (["r.json", "--html", "page", "--repository", "/srv/a"], 4, "must have a web address"),
        (["r.json", "r.json"], 4, "a table is of one record, got 2 records"),
        ([], 4, "a table is of one record, got 0 records"),
        (["r.json", "--repository", "https://a.b/c"], 4, "got --repository without --html"),
        (["r.json", "--html", "r.json/page"], 16, "must be writable"),
    ],
)
def test_what_makes_no_sense_says_the_rule(
    here: Path, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record.write(here / "r.json", document())
    assert main(["report", *arguments]) == code
    assert said in capsys.readouterr().err


def test_commits_are_linked_to_git_s_origin_or_where_the_user_says(here: Path) -> None:
    record.write(here / "r.json", document())
    (here / "baselines").mkdir()
    git(here, "init", "-q")
    git(here, "remote", "add", "origin", "git@example.org:a/b.git")
    main(["report", "r.json", "--html", "page"])
    assert data_of(here / "page")["repository"] == "https://example.org/a/b"
    main(["report", "r.json", "--html", "page", "--repository", "https://example.net/c/d"])
    assert data_of(here / "page")["repository"] == "https://example.net/c/d"


def test_a_full_disk_leaves_no_half_file_and_ends_16(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write(here / "r.json", document())
    with largest_file(200_000):  # scripts of ours fit, the libraries do not
        assert main(["report", "r.json", "--html", "page"]) == 16
    assert "free disk space" in capsys.readouterr().err
    assert not (here / "page" / "index.html").exists()
    assert [path.name for path in (here / "page").rglob("*") if path.is_file() and path.stat().st_size == 200_000] == []


def test_a_run_is_tracked_with_the_subject_of_its_commit(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(here, "init", "-q")
    git(here, "commit", "-q", "--allow-empty", "-m", "Decode reads \x1b[31m less")
    sha = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    record.write(here / "r.json", {**document(), "commit_info": {"id": sha, "dirty": False}})
    assert main(["track", "r.json", "--data", "data/runs.jsonl"]) == 0
    assert capsys.readouterr().out == "tracked: r.json as run 1 of data/runs.jsonl\n"
    (line,) = (here / "data" / "runs.jsonl").read_text().splitlines()
    assert json.loads(line)["commit"] == sha
    assert json.loads(line)["subject"] == r"Decode reads \x1b[31m less"
    assert main(["report", "r.json", "data/runs.jsonl", "--html", "page"]) == 0
    assert [point["commit"] for one in data_of(here / "page")["history"] for point in one["points"]] == [sha, sha]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["r.json", "--data", "d.json"], 4, "--data must end in .jsonl, got d.json"),
        (["none.json", "--data", "d.jsonl"], 13, "none.json"),
        (["r.json", "--data", "broken.jsonl"], 14, "broken.jsonl, line 1: "),
    ],
)
def test_what_cannot_be_tracked_says_the_rule(
    here: Path, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record.write(here / "r.json", document())
    (here / "broken.jsonl").write_text("{}\n")
    assert main(["track", *arguments]) == code
    assert said in capsys.readouterr().err
