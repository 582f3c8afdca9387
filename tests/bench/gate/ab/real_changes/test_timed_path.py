"""Each change runs where it is timed: its lines are traced while the timed calls of its benchmarks run once."""

import json
import re
from pathlib import Path

import pytest

from tests.bench.checks.edited_copy import ROOT, copy_of_the_project
from tests.bench.gate.ab.real_changes.changed_lines import Lines, runnable_lines
from tests.bench.gate.ab.real_changes.copies import apply, changed_files
from tests.bench.gate.ab.real_changes.table import REAL_CHANGES, RealChange
from tests.bench.plugin.fresh_pytest import run_module

PLUGIN = "tests.bench.gate.ab.real_changes.traced_calls"
BEGIN = "from {plugin} import trace\ntrace({files!r}, {out!r}, from_the_start={from_the_start})"
OPTIONS = ("--batch-size=2", "--seq-len=128", "--benchmark-disable", "--compare=off", "-p", PLUGIN)
PROVED = [name for name, change in REAL_CHANGES.items() if change.runs != "never" and not change.is_taken_back]
QUICK = "slower_in_decode_only"  # one shows that the proof can be given; all take minutes
AT_ANY_TIME = "bench_decode"  # builds both models and calls them


def lines_run(change: RealChange, copy: Path, out: Path) -> dict[str, Lines]:
    """Run the change's benchmarks in a copy; return what was run in timed calls, by scenario, or in all if once."""
    is_once = change.runs == "once"
    names = [AT_ANY_TIME] if is_once else change.benchmarks
    files = changed_files(change.files)
    begin = BEGIN.format(plugin=PLUGIN, files=files, out=str(out), from_the_start=is_once)
    ended = run_module(
        copy, "pytest", *(f"bench/{name}.py" for name in names), f"--scale={change.scale}", *OPTIONS, first=begin
    )
    assert ended.code == 0, ended.said[-3000:]
    return {name: {(file, line) for file, line in lines} for name, lines in json.loads(out.read_text()).items()}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name == QUICK else pytest.mark.exhaustive) for name in PROVED]
)
def test_a_change_runs_where_it_is_timed(tmp_path: Path, name: str) -> None:
    change, copy = REAL_CHANGES[name], copy_of_the_project(tmp_path / "copy")
    apply(change.files, copy)
    asked = runnable_lines(ROOT, copy, changed_files(change.files))
    assert asked
    found = lines_run(change, copy, tmp_path / "lines.json")
    if change.runs == "once" or change.runs_in:
        assert asked - set().union(*found.values()) == set()
        return
    for benchmark in change.benchmarks:
        seen = set().union(*(lines for scenario, lines in found.items() if re.match(rf"{benchmark}\b", scenario)))
        assert (benchmark, asked - seen) == (benchmark, set())
