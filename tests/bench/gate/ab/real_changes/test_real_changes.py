"""`ab` on each real change, on the machine as it is and beside busy processes: the right verdict, cause and exit code.

    python -m pytest tests/bench/gate/ab/real_changes -m exhaustive -k "loop_over_all_experts and quiet"

Each run takes up to the budget. RECORD keeps what was said, right or not; a run that it holds is judged and not run
again: take it out to have it run once more.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.harness.environment import load_average
from tests.bench.gate.ab.real_changes.copies import base_and_head
from tests.bench.gate.ab.real_changes.expected import GateRun, faults, faults_when_busy, rows
from tests.bench.gate.ab.real_changes.table import REAL_CHANGES, RealChange
from tests.bench.kept_runs import ROOT, keep, kept_runs
from tests.bench.plugin.fresh_pytest import outside_xdist

RECORD = ROOT / "docs" / "records" / "gate-changes-cpu.json"
OPTIONS = ("--base=HEAD~1", "--budget=6m", "--out=out")
MOST_S = 1200.0  # the budget, two sides that start, and a last scenario
NUM_BUSY = 2
JUDGES: dict[str, Callable[[RealChange, GateRun], list[str]]] = {"quiet": faults, "busy": faults_when_busy}
SPIN = "while True: pass"

pytestmark = pytest.mark.exhaustive


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep as many cores busy while the body runs."""
    processes = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measured(change: RealChange, mode: str, folder: Path) -> GateRun:
    """Run `ab` on a clone in which base and head are the code without and with the change."""
    clone = base_and_head(change, folder / "clone")
    before, started = load_average()[0], time.monotonic()
    with busy_processes(NUM_BUSY if mode == "busy" else 0):
        which = [f"--scenarios={change.scenarios}"] if change.scenarios else []
        command = [sys.executable, "-m", "bench", "ab", *OPTIONS, *which, "--", "--scale", change.scale]
        ended = subprocess.run(
            command, cwd=clone, env=outside_xdist(), capture_output=True, text=True, check=False, timeout=MOST_S
        )
    report = clone / "out" / "ab.json"
    assert report.exists(), (ended.stdout + ended.stderr)[-3000:]
    seconds = round(time.monotonic() - started, 1)
    said = json.loads(report.read_text())["verdicts"]
    return GateRun(
        change=change.name,
        mode=mode,
        code=ended.returncode,
        seconds=seconds,
        load=[before, load_average()[0]],
        **rows(said),
    )


@pytest.mark.parametrize("mode", JUDGES)
@pytest.mark.parametrize("name", REAL_CHANGES)
def test_the_gate_says_what_a_real_change_is(tmp_path: Path, name: str, mode: str) -> None:
    change = REAL_CHANGES[name]
    kept = [run for run in kept_runs(RECORD) if (run["change"], run["mode"]) == (name, mode)]
    if not kept:
        kept = [asdict(measured(change, mode, tmp_path))]
        keep(RECORD, kept[0], what=("change", "mode"))
    assert JUDGES[mode](change, GateRun(**kept[0])) == []
