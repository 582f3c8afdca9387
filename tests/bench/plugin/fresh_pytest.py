"""Run pytest, or a module, in a process of its own, forked from one that has torch and transformers loaded."""

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TIMEOUT_S = 240  # a run takes seconds; a hanging one must not hang the tests

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(  # what is slow to import and no project's own
    [
        *("torch", "scipy.stats", "pytest_benchmark.plugin", "transformers.models.auto.processing_auto"),
        *("transformers.models.llava_next.modeling_llava_next", "transformers.models.qwen3_moe.modeling_qwen3_moe"),
    ]
)


class Ended(NamedTuple):
    """How a run of pytest ended."""

    code: int | None
    said: str  # standard output and error together


def run_pytest(folder: Path, *arguments: str, timeout_s: float = TIMEOUT_S) -> Ended:
    """Run pytest in a folder."""
    return _run_fresh(folder, "pytest", arguments, "", timeout_s)


def run_module(folder: Path, module: str, *arguments: str, first: str = "") -> Ended:
    """Run `python -m MODULE` in a folder, after statements that change what it imports."""
    return _run_fresh(folder, module, arguments, first, TIMEOUT_S)


def _run_fresh(folder: Path, module: str, arguments: Sequence[str], first: str, timeout_s: float) -> Ended:
    with tempfile.NamedTemporaryFile(mode="r") as output:
        environment = {**outside_xdist(), "COLUMNS": "200"}
        process = _context.Process(target=_run, args=(folder, module, arguments, first, output.name, environment))
        process.start()
        process.join(timeout_s)
        if process.is_alive():
            process.kill()
            process.join()
        return Ended(process.exitcode, output.read())


def outside_xdist() -> dict[str, str]:
    """Return the environment without the marks of a worker, under which pytest-benchmark measures nothing."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}


def _run(
    folder: Path, module: str, arguments: Sequence[str], first: str, output: str, environment: dict[str, str]
) -> None:
    """Become what `python -m MODULE` is in that folder."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with open(output, "wb") as file:  # noqa: PTH123  # a name, not a path
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    exec(first, {})
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")
