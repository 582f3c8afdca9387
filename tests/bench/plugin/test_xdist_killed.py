"""`pytest bench -n N` ended by a signal: what any worker had finished is in the record, and the next run goes on."""

import signal
from pathlib import Path

import pytest

from bench.harness import record
from tests.bench.commands.kills.killing import Ended, Started
from tests.bench.plugin.fake_project import SCENARIOS, write_project
from tests.bench.plugin.test_xdist import TWO_DEVICES

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by /proc"),
]
HANGS = """if size > 2 and not os.path.exists("go_on"):
        try: time.sleep(600)
        finally: open("cleans_up", "w")
"""
WAITS = """
import fixtures.programs.interrupt as interrupt
from xdist.workermanage import NodeManager
interrupt.LONGEST_S = NodeManager.EXIT_TIMEOUT = 600  # whatever else this machine does
"""
PYTEST = ("-m", "pytest", "bench", "-n2", "--compare=off")


def finished(folder: Path) -> list[str]:
    path = folder / "run.json"
    return list(record.load(path).scenarios) if path.exists() else []


def ended_by(folder: Path, number: signal.Signals) -> Ended:
    """End a run of two workers by a signal, when one has finished two scenarios and the other is in its first."""
    write_project(folder, ending=HANGS, conftest=WAITS + TWO_DEVICES)
    with Started(folder, folder.parent / "out", [*PYTEST, "--record=run.json"]) as run:
        run.wait_for(lambda _run: len(finished(folder)) == 2)
        ended = run.end([number])
    assert ended.left == [], ended
    assert finished(folder) == SCENARIOS[:2]
    assert not record.load(folder / "run.json").complete
    return ended


def test_a_controller_that_is_killed_leaves_the_finished_scenarios_and_the_next_run_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    assert ended_by(folder, signal.SIGKILL).code == -signal.SIGKILL
    (folder / "go_on").touch()
    with Started(folder, tmp_path / "out", [*PYTEST, "--measured=run.json", "--record=rest.json"]) as rest:
        assert rest.finish().code == 0, rest.said
    assert list(record.load(folder / "rest.json").scenarios) == SCENARIOS[2:]
    assert record.load(folder / "rest.json").complete


def test_an_interrupt_ends_workers_in_the_middle_of_a_scenario_and_says_how_to_go_on(tmp_path: Path) -> None:
    ended = ended_by(tmp_path / "project", signal.SIGTERM)
    assert ended.code == 2, ended.said
    said = "interrupted: 2 of 4 scenarios measured; the same command with --measured=run.json and another --record"
    assert said in ended.said
    assert not (tmp_path / "project" / "cleans_up").exists(), "xdist has ended a worker, after some time"
