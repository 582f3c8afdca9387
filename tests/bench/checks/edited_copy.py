"""A copy of the project with an edit in it, and `pytest bench` there in a fresh process."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.bench.plugin.fresh_pytest import TIMEOUT_S, Ended, run_pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("moevlm", "fixtures", "bench", "baselines")
FILES = ("pyproject.toml", "conftest.py")


def copy_of_the_project(folder: Path) -> Path:
    """Copy what `pytest bench` reads."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    return folder


def bench(root: Path, arguments: Sequence[str], timeout_s: float = TIMEOUT_S) -> Ended:
    """Run scenarios of a copy, without a baseline."""
    return run_pytest(root, *arguments, "--compare=off", "-p", "no:cacheprovider", timeout_s=timeout_s)
