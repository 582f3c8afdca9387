"""Run pytest, or a module, in a process of its own, forked from one that has torch loaded: one second, not four."""

import multiprocessing
import os
import runpy
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
    return _run_fresh(folder, "pytest", arguments, "")


def run_module(folder: Path, module: str, *arguments: str, first: str = "") -> Ended:
    """Run `python -m MODULE` in a folder, after statements that change what it imports."""
    return _run_fresh(folder, module, arguments, first)


def _run_fresh(folder: Path, module: str, arguments: Sequence[str], first: str) -> Ended:
    output = folder / "output.txt"
    process = _context.Process(target=_run, args=(folder, module, arguments, first, output, outside_xdist()))
    process.start()
    process.join(TIMEOUT_S)
    if process.is_alive():
        process.kill()
        process.join()
    return Ended(process.exitcode, output.read_text())


def outside_xdist() -> dict[str, str]:
    """Return the environment without the marks of a worker, under which pytest-benchmark measures nothing."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}


def _run(
    folder: Path, module: str, arguments: Sequence[str], first: str, output: Path, environment: dict[str, str]
) -> None:
    """Become what `python -m MODULE` is in that folder."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    exec(first, {})
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")
