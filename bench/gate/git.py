"""How the harness asks git: of a folder, without hooks, whatever repository a hook that started us points to."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.harness.tied import tied

# A user's hooks have no part in a measurement; what only looks writes no index, which a full disk would not take.
GIT = ("git", "--no-optional-locks", "-c", "core.hooksPath=/dev/null")
POINTERS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")  # set by git for what its hooks start


def run_git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git on a folder; how it ended is the caller's to explain.

    Its answers are decoded as names of files are, whatever the locale: `os.fsencode` gives their bytes.

    Raises:
        ValueError: if there is no git.
    """
    return subprocess.run(
        _command(folder, arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding=sys.getfilesystemencoding(),
        errors="surrogateescape",
        check=False,
        env=_environment(),
        start_new_session=True,
    )


def git_files(folder: Path, names: Sequence[str]) -> list[bytes]:
    """Return files of revisions, named as `COMMIT:./PATH`, by one process for all; empty where there is no such file.

    Raises:
        ValueError: if there is no git.
    """
    answer = subprocess.run(
        _command(folder, ["cat-file", "--batch"]),
        input="".join(f"{name}\n" for name in names).encode(errors="surrogateescape"),
        capture_output=True,
        check=False,
        env=_environment(),
        start_new_session=True,
    )
    answers = io.BytesIO(answer.stdout)
    return [_file(answers) for _ in names]


def _file(answers: io.BytesIO) -> bytes:
    """Read the next answer: a line that ends with the size, then as many bytes and the end of a line."""
    said = answers.readline().split()
    if len(said) != len(("object", "type", "size")) or not said[2].isdigit():
        return b""
    content = answers.read(int(said[2]) + 1)[:-1]
    return content if said[1] == b"blob" else b""


def _command(folder: Path, arguments: Sequence[str]) -> list[str]:
    if shutil.which(GIT[0]) is None:
        raise ValueError("this needs git, got none on PATH; install it")
    return tied([*GIT, "-C", str(folder), *arguments])  # with its filters, which may be anything


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in POINTERS}


def git_says(folder: Path, *arguments: str) -> str:
    """Return git's answer; empty where it cannot answer (no repository, no such name).

    Raises:
        ValueError: if there is no git.
    """
    answer = run_git(folder, *arguments)
    return "" if answer.returncode else answer.stdout.strip()
