"""Tests of what `ab` asks before it measures, and of how it leaves its results."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import __main__ as commands
from bench.commands import ab
from bench.gate.ab.brief import Brief
from bench.gate.ab.result import Comparison
from bench.gate.ab.verdicts import Judgement
from bench.gate.ab.worktree import SourceTree
from bench.gate.verdict import ScenarioVerdict, Verdict
from fixtures.programs.errors import RecordWriteError
from fixtures.programs.terminal import ReaderGone
from tests.bench.plugin.fake_project import write_package, write_project
from tests.bench.plugin.fresh_pytest import run_module
from tests.bench.plugin.test_faults import QUICK

TREE = SourceTree(folder=Path(), tree=Path(), commit="c0ffee" * 7, is_dirty=False, has_package=True)
FOUND = Comparison(
    base=TREE,
    head=TREE,
    launches=[],
    judgement=Judgement(
        scenarios=[ScenarioVerdict(scenario="bench_x[é]", verdict=Verdict.REGRESSED, why="slower by ± 3")],
        groups=[],
        evidence=None,
    ),
    seconds=1.0,
    software="torch",
    notes=["removed or renamed, for base has them and head does not: bench_y"],
)


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    subprocess.run(command, check=True)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small project under git, of which a subfolder is the current one."""
    folder = write_project(tmp_path / "project")
    (folder / "docs").mkdir()
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
    monkeypatch.chdir(folder / "docs")
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Brief]:
    """Compare nothing; keep what was asked for."""
    briefs: list[Brief] = []

    def compare(brief: Brief, note: Callable[[str], None]) -> Comparison:
        briefs.append(brief)
        return FOUND

    monkeypatch.setattr(ab, "compare", compare)
    return briefs


def test_what_is_asked_in_a_subfolder_is_the_clones_and_files_lie_where_they_were_named(
    clone: Path, asked: list[Brief]
) -> None:
    (clone / "docs" / "tiny").touch()
    options = ["--base", "HEAD", "--out", "out", "--junitxml", "xml/ab.xml", "--force", "--scenarios", "b1"]
    assert commands.main(["ab", *options, "--", "--scale", "tiny", "../bench/bench_x.py"]) == 10
    (brief,) = asked
    assert (brief.root, brief.force, brief.expression) == (clone, True, "b1")
    assert (brief.paths, brief.arguments) == (["bench/bench_x.py"], ["--scale", "tiny"])
    written = {path.relative_to(clone).as_posix() for path in clone.rglob("*.*") if ".git" not in path.parts}
    assert {"docs/out/ab.json", "docs/out/ab.md", "docs/xml/ab.xml"} <= written
    assert '"removed or renamed, for base has them and head does not: bench_y"' in Path("out/ab.json").read_text()
    assert "- `removed or renamed, for base has them and head does not: bench_y`" in Path("out/ab.md").read_text()


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (
            ["--out", "../pytest.ini/out"],
            16,
            "../pytest.ini/out/ab.json must be writable, got Not a directory; a file",
        ),
        (["--junitxml", "../bench"], 16, "../bench must be writable, got a folder or a device in its place; choose"),
        (["--", "--compare=require"], 4, "options after -- must be the scenarios', got --compare=require"),
    ],
)
def test_what_cannot_be_written_or_does_nothing_is_refused_before_anything_is_measured(
    clone: Path, asked: list[Brief], capsys: pytest.CaptureFixture[str], options: list[str], code: int, says: str
) -> None:
    assert commands.main(["ab", "--base", "HEAD", *options]) == code
    assert says in capsys.readouterr().err
    assert asked == []


def collects_nothing(*_: object) -> None:
    raise AssertionError("nothing need be collected to know it")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--base", "nowhere"], "a revision must name a commit"),
        (["--base", "HEAD", "--head", "nowhere"], "git says: fatal: Needed a single revision"),
    ],
)
def test_revisions_are_checked_before_anything_is_collected(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    monkeypatch.setattr("bench.gate.ab.compare.collect_both", collects_nothing)
    assert commands.main(["ab", *options]) == 4
    assert says in capsys.readouterr().err


def test_the_same_package_is_identical_at_once_and_ends_0(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.gate.ab.compare.collect_both", collects_nothing)
    (clone / "bench" / "bench_x.py").write_text("def bench_other(): ...")  # head's scenarios run on both sides
    assert commands.main(["ab", "--base", "HEAD", "--junitxml", "ab.xml"]) == 0
    assert "**IDENTICAL**\n\n1 IDENTICAL · " in capsys.readouterr().out
    assert (clone / "records" / "ab.json").is_file()
    with pytest.raises(AssertionError, match="nothing need be collected"):
        commands.main(["ab", "--base", "HEAD", "--force"])


def test_git_s_own_words_are_shown(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own way to rehearse it
    assert commands.main(["ab", "--base", "HEAD"]) == 4
    assert "detected dubious ownership in repository" in capsys.readouterr().err


def test_without_git_it_is_named(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(clone))
    assert commands.main(["ab", "--base", "HEAD"]) == 4
    assert "this needs git, got none on PATH; install it" in capsys.readouterr().err


def test_results_are_on_disk_before_they_are_printed(
    clone: Path, asked: list[Brief], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        assert Path("out/ab.md").exists()
        assert Path("ab.xml").exists()
        raise ReaderGone

    monkeypatch.setattr(ab, "say", broken)
    assert commands.main(["ab", "--base", "HEAD", "--out", "out", "--junitxml", "ab.xml"]) == 141


def test_a_disk_that_is_full_by_then_does_not_cost_what_was_measured(
    clone: Path, asked: list[Brief], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise RecordWriteError("no space left")

    monkeypatch.setattr(ab, "replace_text", full)
    assert commands.main(["ab", "--base", "HEAD", "--out", "out"]) == 16
    assert "bench_x[é]" in capsys.readouterr().out


MEASURE_ONE = ("ab", "--base=HEAD", "--budget=1s", "--out=out", "--scenarios=1")


@pytest.mark.long
def test_a_job_s_pytest_options_do_not_reach_the_workers(clone: Path) -> None:
    first = f"import os\nos.environ.update(PYTEST_ADDOPTS='-n auto -v', PYTEST_PLUGINS='no_such_plugin')\n{QUICK}"
    write_package(clone, {1: {"moe": 2.0}})
    ended = run_module(clone, "bench", *MEASURE_ONE, first=first)
    assert re.search(r"bench_x\[1\]` +\| 2\.00 ms +\| 4\.00 ms", ended.said), ended.said


@pytest.mark.long
def test_a_slowdown_behind_a_renamed_function_is_measured_against_base_s_own_tree(clone: Path) -> None:
    write_package(clone, {1: {"moe": 2.0}})
    for path in (clone / "moevlm" / "__init__.py", clone / "bench" / "bench_x.py"):
        path.write_text(path.read_text().replace("SECONDS", "TIMES"))
    ended = run_module(clone, "bench", *MEASURE_ONE, first=QUICK)
    assert re.search(r"bench_x\[1\]` +\| 2\.00 ms +\| 4\.00 ms", ended.said), ended.said
    why = "for head's fail there: module 'moevlm' has no attribute 'TIMES'"
    assert f"base ran its own bench/ and fixtures/ for bench_x[1], {why}" in ended.said
    assert "NEW" not in ended.said
