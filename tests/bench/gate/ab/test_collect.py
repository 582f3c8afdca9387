"""Tests of which scenarios are selected, with real pytest processes in small projects that import nothing heavy."""

import subprocess
from pathlib import Path

import pytest

from bench.gate.ab.brief import Brief
from bench.gate.ab.collect import collect, collect_both, collect_own, may_differ, removed
from bench.gate.ab.own_tree import OwnTree
from bench.gate.ab.worktree import source_tree
from bench.harness.project import ProjectTable

CONFTEST = "def pytest_addoption(parser):\n    parser.addoption('--scale')\n    parser.addoption('--odd')\n"
BENCH = """
import pytest

@pytest.mark.parametrize("size", {sizes})
def bench_a(size): ...

def {name}(): ...
"""
INI = "[pytest]\npython_files = bench_*.py\npython_functions = bench_*\naddopts = --import-mode=importlib {more}\n"


def write_project(folder: Path, *, sizes: str = "[1, 2]", name: str = "bench_b", more: str = "") -> Path:
    (folder / "bench").mkdir(parents=True, exist_ok=True)
    (folder / "pytest.ini").write_text(INI.format(more=more))
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "bench" / "bench_x.py").write_text(BENCH.format(sizes=sizes, name=name))
    (folder / "bench" / "bench_y.py").write_text("def bench_c(): ...\n")
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "bench_t.py").write_text("def bench_t(): ...\n")
    return folder


def brief(root: Path, *arguments: str, expression: str = "", paths: tuple[str, ...] = ()) -> Brief:
    return Brief(
        root=root,
        project=ProjectTable(package="pack"),
        base="HEAD",
        head=None,
        expression=expression,
        arguments=arguments,
        paths=paths,
        budget_s=1.0,
    )


ALL = [f"bench/bench_x.py::{name}" for name in ("bench_a[1]", "bench_a[2]", "bench_b")] + ["bench/bench_y.py::bench_c"]


def test_scenarios_are_told_by_a_hook_whatever_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-n auto -v --collect-only -k nothing")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    folder = write_project(tmp_path, more="-q -q")
    (folder / "bench" / "bench_y.py").write_text("print('bench/bench_z.py::bench_z')\ndef bench_c(): ...\n")
    assert collect(brief(folder)) == ALL


def test_an_expression_paths_and_options_narrow(tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    assert collect(brief(folder, paths=("bench/bench_x.py::bench_a[2]",))) == ALL[1:2]
    assert collect(brief(folder, "--scale", "tiny", "--deselect=bench/bench_y.py", expression="not 2")) == [
        ALL[0],
        ALL[2],
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scale=tiny", "-v", "-n", "2"], "got one that does neither (verbose, numprocesses); leave it out"),
        (["--scale", "tiny", "bench/none.py"], "paths after -- must hold scenarios, got bench/none.py"),
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
    ],
)
def test_arguments_that_do_nothing_are_refused(tmp_path: Path, arguments: list[str], says: str) -> None:
    with pytest.raises(ValueError, match="pytest says: ") as error:
        collect(brief(write_project(tmp_path), *arguments))
    assert says in str(error.value)


def test_a_selection_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--scenarios must select a scenario, got 'no_such'; pytest says: .*4 desel"):
        collect(brief(write_project(tmp_path), expression="no_such"))


def test_scenarios_that_cannot_be_imported_are_refused_and_base_s_others_are_kept(tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    (folder / "bench" / "bench_y.py").write_text("import no_such_module")
    with pytest.raises(ValueError, match="no_such_module"):
        collect(brief(folder))
    own = collect_own(brief(folder), folder)
    assert (list(own.node_ids.values()), own.why) == (ALL[:3], "")


@pytest.mark.parametrize(
    ("spoil", "expression", "why"),
    [("raise ValueError('no presets')", "", "no presets"), ("pass", "no_such", "")],  # it has none, and that is known
)
def test_what_base_s_own_tree_has_is_told_or_why_it_is_not_known(
    tmp_path: Path, spoil: str, expression: str, why: str
) -> None:
    folder = write_project(tmp_path)
    (folder / "conftest.py").write_text(f"{spoil}\n{CONFTEST}")
    own = collect_own(brief(folder, expression=expression), folder)
    assert (own.root, own.node_ids) == (folder, {})
    assert (why in own.why) if why else own.why == ""


def test_a_tree_without_scenarios_is_asked_nothing(tmp_path: Path) -> None:
    assert collect_own(brief(tmp_path), tmp_path) == OwnTree(root=tmp_path, node_ids={})


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    subprocess.run(command, check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = write_project(tmp_path / "repository")
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").touch()
    (folder / "read.md").touch()
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
    return folder


def test_only_a_change_beside_the_package_can_have_removed_a_scenario(repository: Path) -> None:
    (repository / "pack" / "__init__.py").write_text("changed = True")
    (repository / "read.md").write_text("changed")
    assert not may_differ(repository, "HEAD", "pack")
    (repository / "bench" / "bench_y.py").unlink()
    assert may_differ(repository, "HEAD", "pack")


def test_renamed_and_removed_scenarios_are_listed(repository: Path) -> None:
    write_project(repository, sizes="[1]", name="bench_renamed")
    with source_tree(repository, "HEAD", "pack") as base:
        selected = collect_both(brief(repository), base, "pack")
        assert selected.own().node_ids == {name.partition("::")[2]: name for name in ALL}
    assert [name.partition("::")[2] for name in selected.node_ids] == ["bench_a[1]", "bench_renamed", "bench_c"]
    assert selected.notes == ["removed or renamed, for base has them and head does not: bench_a[2], bench_b"]


def test_what_paths_leave_out_is_not_removed(tmp_path: Path) -> None:
    own = OwnTree(root=tmp_path, node_ids={name.partition("::")[2]: name for name in ALL})
    assert removed(own, ALL[3:], ["bench/bench_y.py"]) == []
    assert removed(own, [], ["bench/bench_x.py::bench_a"])[0].endswith("does not: bench_a[1], bench_a[2]")
    assert removed(own, ALL, []) == []
    unknown = OwnTree(root=tmp_path, node_ids={}, why="pytest says: no")
    assert removed(unknown, ALL, []) == [
        "whether head removed scenarios is not known: base's own cannot be collected, pytest says: no"
    ]
