"""Copies of the project with a real change: plain folders, and clones whose last two commits are base and head."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from bench.gate.git import run_git
from tests.bench.checks.edited_copy import ROOT
from tests.bench.gate.ab.real_changes.table import RealChange

NOBODY = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
REMAKE = (
    "remake it: in a clean clone `git apply --3way {patch}` or edit by hand, then `git diff -U1 HEAD > {patch}`; "
    "the row in real_changes.toml says what it must do"
)


def apply(patches: Iterable[Path], folder: Path, *options: str) -> None:
    """Apply patches to a folder, one after another.

    Raises:
        ValueError: one does not fit the code as it is; with git's words, and how to remake it.
    """
    for patch in patches:
        _git(folder, "apply", *options, str(patch), why=f"{patch.name} must fit the code as it is")


def changed_files(patches: Iterable[Path]) -> list[str]:
    """Name the files that patches change, each once."""
    lines = [line for patch in patches for line in patch.read_text().splitlines()]
    return list(dict.fromkeys(line.removeprefix("+++ b/") for line in lines if line.startswith("+++ b/")))


def patched_files(change: RealChange, folder: Path) -> list[Path]:
    """Copy the files that a change names into a folder, apply it there, and return them."""
    names = changed_files(change.files)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    apply(change.files, folder)
    return [folder / name for name in names]


def base_and_head(change: RealChange, folder: Path) -> Path:
    """Clone the project's last commit into a folder and commit the change; head is checked out, base is HEAD~1."""
    _git(ROOT, "clone", "--quiet", str(ROOT), str(folder), why="the project must be a git clone")
    apply(change.files, folder)
    _commit(folder, change.does)
    if change.is_taken_back:
        apply(reversed(change.files), folder, "--reverse")
        _commit(folder, f"taken back: {change.does}")
    return folder


def _commit(folder: Path, message: str) -> None:
    _git(folder, *NOBODY, "commit", "--quiet", "--all", "--message", message, why="a change must change something")


def _git(folder: Path, *arguments: str, why: str) -> None:
    answer = run_git(folder, *arguments)
    if answer.returncode:
        remedy = (
            REMAKE.format(patch=Path(arguments[-1]).relative_to(ROOT)) if "apply" in arguments else "see what git says"
        )
        raise ValueError(f"{why}, got: {(answer.stderr + answer.stdout).strip()}; {remedy}")
