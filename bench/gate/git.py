"""How the harness asks git: of a folder, without hooks, whatever repository a hook that started us points to."""

import os
import shutil
import subprocess
import sys
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
    own = {name: value for name, value in os.environ.items() if name not in POINTERS}
    if shutil.which(GIT[0]) is None:
        raise ValueError("this needs git, got none on PATH; install it")
    command = tied([*GIT, "-C", str(folder), *arguments])  # with its filters, which may be anything
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding=sys.getfilesystemencoding(),
        errors="surrogateescape",
        check=False,
        env=own,
        start_new_session=True,
    )


def git_says(folder: Path, *arguments: str) -> str:
    """Return git's answer; empty where it cannot answer (no repository, no such name).

    Raises:
        ValueError: if there is no git.
    """
    answer = run_git(folder, *arguments)
    return "" if answer.returncode else answer.stdout.strip()
