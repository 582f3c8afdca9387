"""A copy of the project with an edit in it, and `pytest bench` there in a fresh process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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


def bench(root: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run scenarios of a copy, without a baseline."""
    command = [sys.executable, "-m", "pytest", *arguments, "--compare=off", "-p", "no:cacheprovider"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
