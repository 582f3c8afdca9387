"""The two sides' source: all that one git revision tracks, or the working tree, and in a folder alone the package."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.gate.git import run_git
from bench.harness.project import NAME
from bench.harness.scratch import is_scratch, remove_abandoned, scratch


@dataclass(frozen=True, kw_only=True)
class SourceTree:
    """The package as one side imports it, and what it comes from; all but a working tree is gone with the context."""

    folder: Path  # holds the package and nothing else to import
    tree: Path  # the package with all that stands beside it
    commit: str  # full hash; of the working tree, the commit that it is checked out from
    is_dirty: bool  # the working tree has changes that no commit holds
    has_package: bool  # a revision from before the package has none: whatever head measures is new to it


@contextmanager
def source_tree(project: Path, revision: str | None, package: str, source: str = ".") -> Iterator[SourceTree]:
    """Lay out a revision in a temporary folder, its package in another; remove both however the body ends.

    Without a revision it is the working tree's, copied: an edit made while launches follow one another must not reach
    half of them.

    Args:
        project: a folder of a repository, at its root or below.
        revision: of the repository; None is the working tree.
        package: what is laid out.
        source: the project's folder that holds the package.

    Raises:
        ValueError: if the folder is in no repository, the revision is unknown, or the working tree lacks the package.
    """
    root = repository_root(project)
    place = project.resolve().relative_to(root)
    commit = resolve(root, revision or "HEAD")
    remove_abandoned_trees(root)
    with scratch("ab") as both:
        folder, tree = both / "source", both / "tree"
        if revision is None:
            if not _copy(project / source, package, folder):
                raise ValueError(
                    f"the working tree must hold the package {package!r}, got {project / source} without it; name "
                    f"another by --package or in [tool.{NAME}], with source = FOLDER where it lies in a folder"
                )
            yield SourceTree(folder=folder, tree=project, commit=commit, is_dirty=is_dirty(root), has_package=True)
            return
        try:
            _check_out(root, commit, tree)
            own = tree / place
            has_package = _copy(own / source, package, folder)
            yield SourceTree(folder=folder, tree=own, commit=commit, is_dirty=False, has_package=has_package)
        finally:
            _remove(root, tree)


def repository_root(folder: Path) -> Path:
    """Return the root of the working tree that holds a folder.

    Raises:
        ValueError: if none does, git refuses to look, with its words, or there is no git.
    """
    answer = run_git(folder, "rev-parse", "--show-toplevel")
    if answer.returncode:
        raise ValueError(
            f"base and head must be revisions of a git repository, got {folder}; run it inside a clone. "
            f"git says: {answer.stderr.strip()}"
        )
    return Path(answer.stdout.strip())


def resolve(root: Path, revision: str) -> str:
    """Return the full hash of a revision's commit.

    Raises:
        ValueError: if git does not know it, with its words.
    """
    answer = run_git(root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if answer.returncode:
        raise ValueError(
            f"a revision must name a commit of {root}, got {revision!r}; "
            "`git fetch` it first (a shallow clone holds few: `git fetch --unshallow`). "
            f"git says: {answer.stderr.strip()}"
        )
    return answer.stdout.strip()


def is_dirty(root: Path) -> bool:
    """Tell whether the working tree differs from its commit, new files included and ignored ones not."""
    return bool(run_git(root, "status", "--porcelain").stdout.strip())


def remove_abandoned_trees(root: Path) -> None:
    """Remove the worktrees of killed runs; those of living ones, and a user's own, stay."""
    listed = run_git(root, "worktree", "list", "--porcelain").stdout.splitlines()
    trees = [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]
    for tree in trees:
        if is_scratch(tree.parent) and remove_abandoned(tree.parent):
            _remove(root, tree)


def _remove(root: Path, tree: Path) -> None:
    """Remove a worktree, and its registration where it is gone; git locks one that it is still making."""
    run_git(root, "worktree", "remove", "--force", "--force", str(tree))


def _check_out(root: Path, commit: str, tree: Path) -> None:
    """Add a worktree."""
    added = run_git(root, "worktree", "add", "--detach", str(tree), commit)
    if added.returncode:
        raise ValueError(f"git must be able to add a worktree of {root}, and says: {added.stderr.strip()}")


def _copy(root: Path, package: str, folder: Path) -> bool:
    """Copy the package alone; return whether there is one."""
    folder.mkdir()
    if not (root / package).is_dir():
        return False
    shutil.copytree(root / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return True
