"""Tests of when there is nothing to compare: real revisions and a working tree, in a small repository."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.gate.ab.brief import Brief
from bench.gate.ab.identical import content_hash, dependencies, identical, other_dependencies
from bench.gate.ab.worktree import source_tree
from bench.gate.verdict import Verdict
from bench.harness.project import ProjectTable
from tests.bench.gate.ab.test_worktree import commit, git

PROJECT = (
    '[project]\nname = "pack"\nversion = "{version}"\ndependencies = ["torch{torch}"]\n[tool.ruff]\nline-length = 9\n'
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "bench").mkdir()
    (folder / "bench" / "bench_x.py").write_text("x = 1")
    (folder / "pyproject.toml").write_text(PROJECT.format(version=1, torch=">=2"))
    commit(folder, "value = 1")
    return folder


def brief_in(root: Path) -> Brief:
    return Brief(root=root, project=ProjectTable(package="pack"), base="main", head=None, arguments=[], budget_s=1.0)


def said(repository: Path, brief: Brief | None = None) -> list[tuple[str, Verdict, str]]:
    with source_tree(repository, "main", "pack") as base, source_tree(repository, None, "pack") as head:
        found = identical(brief or brief_in(repository), base, head, "pack")
    return [(one.scenario, one.verdict, one.why) for one in found]


def test_the_same_package_is_identical_whatever_stands_beside_it(repository: Path) -> None:
    (repository / "bench" / "bench_x.py").write_text("x = 2")
    (repository / "pyproject.toml").write_text(PROJECT.format(version=2, torch=">=2").replace("9", "8"))
    (repository / "pack" / "__pycache__").mkdir()
    (repository / "pack" / "__pycache__" / "x.pyc").write_bytes(b"\0")
    ((scenario, verdict, why),) = said(repository)
    assert (scenario, verdict) == ("all scenarios", Verdict.IDENTICAL)
    assert why.startswith("pack/ (")
    assert why.endswith("nothing to compare; --force measures")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "pack" / "__init__.py").write_text("value = 2"),
        lambda folder: (folder / "pack" / "table.json").write_text("{}"),
        lambda folder: (folder / "pack" / "__init__.py").rename(folder / "pack" / "other.py"),
        lambda folder: (folder / "pyproject.toml").write_text(PROJECT.format(version=1, torch=">=3")),
        lambda folder: (folder / "pyproject.toml").unlink(),
        lambda folder: (folder / "pyproject.toml").write_text("no TOML"),
        lambda folder: (folder / "pyproject.toml").write_text(
            PROJECT.format(version=1, torch=">=2") + "[dependency-groups]\nrun = ['numpy']\n"
        ),
    ],
)
def test_another_package_or_other_dependencies_are_measured(repository: Path, change: object) -> None:
    assert callable(change)
    change(repository)
    assert said(repository) == []


def test_force_and_a_rehearsed_slowdown_measure_the_same_code(repository: Path) -> None:
    brief = brief_in(repository)
    assert said(repository, replace(brief, side_arguments={"head": []})) != []
    assert said(repository, replace(brief, force=True)) == []
    assert said(repository, replace(brief, side_arguments={"head": ["--inject=moe=1.3"]})) == []


def test_a_base_without_the_package_is_never_identical(repository: Path) -> None:
    git(repository, "rm", "-rq", "pack")
    git(repository, "commit", "-qm", "none")
    (repository / "pack").mkdir()
    assert said(repository) == []


def test_names_and_bounds_of_files_count(tmp_path: Path) -> None:
    folders = {
        "a": {"x": "12", "y": "3"},
        "b": {"x": "1", "y": "23"},
        "c": {"x": "12", "z": "3"},
        "d": {"x": "12y\0\x003"},  # as a, were files only joined
    }
    for name, files in folders.items():
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
    assert len({content_hash(tmp_path / name) for name in folders}) == 4
    assert content_hash(tmp_path / "a") == content_hash(tmp_path / "a")


def test_other_dependencies_are_told(repository: Path) -> None:
    (repository / "pyproject.toml").write_text(PROJECT.format(version=1, torch=">=3"))
    with source_tree(repository, "main", "pack") as base, source_tree(repository, None, "pack") as head:
        assert len(other_dependencies(base, head)) == 1
        assert other_dependencies(base, base) == []


@pytest.mark.parametrize(
    "text", ["project = 3", "tool = []", "[tool]\nsetuptools = 1", f"a = {'[' * 5000}", "a = 1" * 9]
)
def test_a_value_in_a_tables_place_is_compared_as_it_is_written(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert dependencies(tmp_path) == {"unreadable": text.encode()}
