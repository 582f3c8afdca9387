"""Run pytest in processes of its own, forked from one that has torch loaded: a second each instead of four."""

import contextlib
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
    process = _context.Process(target=_run, args=(folder, arguments, output))
    process.start()
    process.join(TIMEOUT_S)
    if process.is_alive():
        process.kill()
        process.join()
    return Ended(process.exitcode, output.read_text())


def _run(folder: Path, arguments: Sequence[str], output: Path) -> None:
    """Become what `python -m pytest` is in that folder."""
    import pytest

    os.chdir(folder)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["pytest", *arguments]
    with contextlib.suppress(SystemExit):
        code = pytest.console_main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
