"""Run pytest in processes of its own, forked from one that has torch loaded: a second each instead of four."""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TIMEOUT_S = 240  # a run takes seconds; a hanging one must not hang the tests

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["torch", "scipy.stats", "pytest_benchmark.plugin"])


class Ended(NamedTuple):
    """How a run of pytest ended."""

    code: int | None
    said: str  # standard output and error together


def run_pytest(folder: Path, *arguments: str) -> Ended:
    """Run pytest in a folder."""
    output = folder / "output.txt"
    process = _context.Process(target=_run, args=(folder, arguments, output, outside_xdist()))
    process.start()
    process.join(TIMEOUT_S)
    if process.is_alive():
        process.kill()
        process.join()
    return Ended(process.exitcode, output.read_text())


def outside_xdist() -> dict[str, str]:
    """Return the environment without the marks of a worker, under which pytest-benchmark measures nothing."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}


def _run(folder: Path, arguments: Sequence[str], output: Path, environment: dict[str, str]) -> None:
    """Become what `python -m pytest` is in that folder."""
    import pytest

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["pytest", *arguments]
    sys.exit(pytest.console_main())
