"""What an entry point must not import: torch, transformers and plots take seconds each.

Looked up in a fresh process as it ends; no time is looked at.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.gate.inherited import fresh_environment

ROOT = Path(__file__).parents[1]
DRAWING = {"matplotlib", "pandas"}
MODEL = {"transformers", "tokenizers", "moevlm.config"}
STATISTICS = {"scipy.stats", "scipy.optimize"}
ENTRIES = {  # what Python runs -> (what it prints, modules that it must not import)
    "import moevlm, moevlm.presets; print(moevlm.__all__)": (
        "prefill", {"torch", "numpy", "rich"} | MODEL | STATISTICS | DRAWING
    ),
    "-m bench --help": (
        "reproduce", {"torch", "moevlm", "rich", "jinja2", "bench.commands.report"} | MODEL | STATISTICS | DRAWING
    ),
    "-m pytest bench --collect-only -q": (
        "bench_prefill[tiny-mmmu-uniform-b1-s128]",
        MODEL | STATISTICS | DRAWING | {"pyarrow", "bench.report.write", "torch._dynamo"},
    ),
}  # fmt: skip
TELL = "import atexit, sys; atexit.register(lambda: print('imported', *sys.modules, file=sys.stderr))"
RUN = "import runpy; sys.argv = {words!r}; runpy.run_module({words[0]!r}, run_name='__main__', alter_sys=True)"


def imports_of(entry: str) -> tuple[str, set[str]]:
    """Run a statement, or a module with arguments; return what it printed, and all that was imported at its end."""
    words = entry.split()[1:]
    program = f"{TELL}\n{RUN.format(words=words) if entry.startswith('-m ') else entry}"
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=ROOT, env=fresh_environment(), capture_output=True, text=True, check=True)
    return ended.stdout, set(ended.stderr.rpartition("imported ")[2].split())


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_an_entry_point_does_not_need_is_not_imported(entry: str) -> None:
    shows, unneeded = ENTRIES[entry]
    printed, imported = imports_of(entry)
    assert shows in printed
    assert "atexit" in imported  # the list is there
    assert unneeded & imported == set()


def test_the_list_shows_what_is_imported() -> None:
    _, imported = imports_of("import importlib; importlib.import_module('bench.commands.listing')")
    assert {"bench.commands", "bench.commands.listing"} <= imported


APART = """
import sys
from functools import partial
from importlib import import_module
import torch
from bench.bench_memory import alive_of
from fixtures.models import build_twins
from fixtures.plugin import pytest_measured_imports

for name in pytest_measured_imports():
    import_module(name)
before, cpu = set(sys.modules), torch.device("cpu")
for arm in ("moe", "dense"):
    build = partial(build_twins, "tiny", arms=(arm,), device=cpu, dtype=torch.float32)
    assert alive_of(build, {"input_ids": torch.arange(5, 29)[None]}, cpu).peak > 0
print("late:", *(name for name in set(sys.modules) - before if name.startswith(("moevlm.", "transformers."))))
"""


def test_building_and_calling_a_model_imports_no_more_than_processes_apart_are_told() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", APART], cwd=ROOT, env=fresh_environment(), capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["late:"]
