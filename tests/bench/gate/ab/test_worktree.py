"""Tests of the sides' source, on small repositories of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.gate.ab.worktree import source_tree

IDENTITY = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit(folder: Path, text: str) -> str:
    """Commit the package with one value in it; return the commit."""
    (folder / "pack").mkdir(exist_ok=True, parents=True)
    (folder / "pack" / "__init__.py").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", text)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of three commits: without the package, with it, changed; a folder beside the package."""
    folder = tmp_path / "repository"
    (folder / "bench").mkdir(parents=True)
    (folder / "bench" / "bench_x.py").write_text("x = 1")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "before the package")
    commit(folder, "value = 1")
    commit(folder, "value = 2")
    return folder


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".git"}


def nothing_is_left(repository: Path) -> bool:
    return len(git(repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize(("revision", "value"), [("HEAD", "value = 2"), ("main~1", "value = 1")])
def test_a_revision_is_laid_out_with_its_package_alone(repository: Path, revision: str, value: str) -> None:
    with source_tree(repository, revision, "pack") as tree:
        assert listed(tree.folder) == {"pack"}
        assert (tree.folder / "pack" / "__init__.py").read_text() == value
        assert (tree.commit, tree.is_dirty, tree.has_package) == (git(repository, "rev-parse", revision), False, True)
    assert not tree.folder.exists()
    assert nothing_is_left(repository)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_when_the_body_is_interrupted(repository: Path, error: type[BaseException]) -> None:
    folders: list[Path] = []

    def measure() -> None:
        with source_tree(repository, "HEAD", "pack") as tree:
            folders.append(tree.folder)
            (tree.folder / "pack" / "left_behind").write_text("made while measuring")
            raise error

    with pytest.raises(error):
        measure()
    assert not folders[0].parent.exists()
    assert nothing_is_left(repository)


LAYS_OUT = """
import pathlib, signal, sys
from bench.gate.ab.worktree import source_tree
with source_tree(pathlib.Path(sys.argv[1]), "HEAD", "pack") as tree:
    print(tree.tree, flush=True)
    signal.pause()
"""


@pytest.fixture
def other_run(repository: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has laid a revision out, in a temporary folder of its own choice."""
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4]), "TMPDIR": str(tmp_path / "tmp")}
    command = [sys.executable, "-c", LAYS_OUT, str(repository)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process
        process.kill()


def laid_out(run: "subprocess.Popen[str]") -> Path:
    assert run.stdout is not None
    return Path(run.stdout.readline().strip())


@pytest.mark.parametrize("state", ["whole", "without files", "locked"])
def test_what_a_killed_run_left_goes_with_the_next_run(
    repository: Path, other_run: "subprocess.Popen[str]", state: str
) -> None:
    tree = laid_out(other_run)
    other_run.kill()
    other_run.wait()
    if state == "without files":
        shutil.rmtree(tree.parent)
    if state == "locked":  # which stays where git is killed as it makes a worktree
        git(repository, "worktree", "lock", "--reason", "initializing", str(tree))
    assert not nothing_is_left(repository)
    with source_tree(repository, "HEAD", "pack"):
        pass
    assert nothing_is_left(repository)
    assert not tree.parent.exists()


def test_what_a_living_run_and_the_user_have_laid_out_stays(
    repository: Path, other_run: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    tree = laid_out(other_run)
    git(repository, "worktree", "add", "--detach", str(tmp_path / "unmounted"), "HEAD")
    (tmp_path / "unmounted").rename(tmp_path / "elsewhere")
    with source_tree(repository, "HEAD", "pack"):
        pass
    assert (tree / "pack").is_dir()
    listed = git(repository, "worktree", "list", "--porcelain")
    assert f"worktree {tree}" in listed
    assert f"worktree {tmp_path / 'unmounted'}" in listed


def test_two_sides_of_one_revision_do_not_meet(repository: Path) -> None:
    with source_tree(repository, "HEAD", "pack") as base, source_tree(repository, "HEAD", "pack") as head:
        assert base.folder != head.folder
        assert base.commit == head.commit
    assert nothing_is_left(repository)


def test_the_working_tree_is_taken_as_it_is_and_later_edits_do_not_reach_it(repository: Path) -> None:
    (repository / "pack" / "__init__.py").write_text("value = 3")
    (repository / "pack" / "new.py").write_text("")
    with source_tree(repository, None, "pack") as tree:
        assert tree.is_dirty
        assert tree.commit == git(repository, "rev-parse", "HEAD")
        (repository / "pack" / "__init__.py").write_text("value = 4")
        assert (tree.folder / "pack" / "__init__.py").read_text() == "value = 3"
        assert listed(tree.folder / "pack") == {"__init__.py", "new.py"}
    assert (repository / "pack" / "__init__.py").read_text() == "value = 4"


def test_a_clean_working_tree_is_not_dirty(repository: Path) -> None:
    with source_tree(repository, None, "pack") as tree:
        assert not tree.is_dirty


def test_a_revision_from_before_the_package_says_so(repository: Path) -> None:
    with source_tree(repository, "main~2", "pack") as tree:
        assert not tree.has_package
        assert listed(tree.folder) == set()
    assert nothing_is_left(repository)


@pytest.mark.parametrize("revision", ["no-such-branch", "--all", "HEAD:pack"])
def test_an_unknown_revision_is_named_with_the_remedy(repository: Path, revision: str) -> None:
    with (
        pytest.raises(ValueError, match=rf"must name a commit of .*, got '{revision}'; `git fetch` it first"),
        source_tree(repository, revision, "pack"),
    ):
        pass


def test_a_folder_outside_any_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="revisions of a git repository, got"), source_tree(tmp_path, "HEAD", "pack"):
        pass


def test_a_working_tree_without_the_package_is_refused(repository: Path) -> None:
    with pytest.raises(ValueError, match="must hold the package 'pock'"), source_tree(repository, None, "pock"):
        pass


@pytest.mark.parametrize(("project", "source"), [("", "src"), ("packages/one", "."), ("packages/one", "src")])
def test_a_package_in_a_folder_of_a_project_below_the_root_is_laid_out_alone(
    repository: Path, project: str, source: str
) -> None:
    for value in (1, 2):
        commit(repository / project / source, f"value = {value}")
    (repository / project / source / "pack" / "__init__.py").write_text("value = 3")
    for revision, value in (("HEAD~1", 1), ("HEAD", 2), (None, 3)):
        with source_tree(repository / project, revision, "pack", source) as tree:
            assert tree.has_package
            assert listed(tree.folder) == {"pack"}
            assert (tree.folder / "pack" / "__init__.py").read_text() == f"value = {value}"
    with source_tree(repository / project, "HEAD~2", "pack", source) as tree:
        assert not tree.has_package
    assert nothing_is_left(repository)


def test_a_hook_of_another_repository_does_not_lead_astray(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    with source_tree(repository, "HEAD", "pack") as tree:
        assert (tree.folder / "pack" / "__init__.py").read_text() == "value = 2"
