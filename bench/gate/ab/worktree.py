"""The two sides' source: a folder that holds the measured package of one git revision, or of the working tree."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.gate.git import run_git
from bench.harness.project import NAME

SCRATCH = "moevlm-ab-"  # prefix of the temporary folders


@dataclass(frozen=True, kw_only=True)
class SourceTree:
    """The package as one side imports it."""

    folder: Path  # holds the package and nothing else to import; gone when the context ends
    commit: str  # full hash; of the working tree, the commit that it is checked out from
    is_dirty: bool  # the working tree has changes that no commit holds
    has_package: bool  # a revision from before the package has none: whatever head measures is new to it


@contextmanager
def source_tree(project: Path, revision: str | None, package: str, source: str = ".") -> Iterator[SourceTree]:
    """Lay out the package of a revision in a temporary folder; remove folder and worktree however the body ends.

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
    place = project.resolve().relative_to(root) / source
    commit = resolve(root, revision or "HEAD")
    with tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch:
        folder = Path(scratch).resolve() / "source"
        if revision is None:
            _copy(root / place, package, folder / place)
            yield SourceTree(folder=folder / place, commit=commit, is_dirty=is_dirty(root), has_package=True)
            return
        try:
            has_package = _check_out(root, commit, place / package, folder)
            yield SourceTree(folder=folder / place, commit=commit, is_dirty=False, has_package=has_package)
        finally:
            run_git(root, "worktree", "remove", "--force", str(folder))
            run_git(root, "worktree", "prune")  # also what a killed run has left behind


def repository_root(folder: Path) -> Path:
    """Return the root of the working tree that holds a folder.

    Raises:
        ValueError: if none does.
    """
    answer = run_git(folder, "rev-parse", "--show-toplevel")
    if answer.returncode:
        raise ValueError(f"base and head must be revisions of a git repository, got {folder}; run it inside a clone")
    return Path(answer.stdout.strip())


def resolve(root: Path, revision: str) -> str:
    """Return the full hash of a revision's commit.

    Raises:
        ValueError: if git does not know it.
    """
    answer = run_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if answer.returncode:
        raise ValueError(
            f"a revision must name a commit of {root}, got {revision!r}; "
            "`git fetch` it first (a shallow clone holds few: `git fetch --unshallow`)"
        )
    return answer.stdout.strip()


def is_dirty(root: Path) -> bool:
    """Tell whether the working tree differs from its commit, new files included and ignored ones not."""
    return bool(run_git(root, "status", "--porcelain").stdout.strip())


def _check_out(root: Path, commit: str, package: Path, folder: Path) -> bool:
    """Add a worktree with the package's files alone; return whether the commit has the package."""
    added = run_git(root, "worktree", "add", "--detach", "--no-checkout", str(folder), commit)
    if added.returncode:
        raise ValueError(f"git must be able to add a worktree of {root}: {added.stderr.strip()}")
    if run_git(root, "cat-file", "-e", f"{commit}:{package.as_posix()}").returncode:
        return False
    taken = run_git(folder, "checkout", "--quiet", commit, "--", str(package))
    if taken.returncode:
        raise ValueError(f"git must be able to check out {package} of {commit}: {taken.stderr.strip()}")
    return True


def _copy(root: Path, package: str, folder: Path) -> None:
    if not (root / package).is_dir():
        raise ValueError(
            f"the working tree must hold the package {package!r}, got {root} without it; name another by --package or "
            f"in [tool.{NAME}], with source = FOLDER where it lies in a folder"
        )
    shutil.copytree(root / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
