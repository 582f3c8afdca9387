"""Every command that measures for long, ended by every signal: nothing stays running, what is finished is kept.

All 60 combinations are exhaustive: each is kept in RECORD, and an interrupted test goes on. A handful are `long`.
"""

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fixtures.programs.codes import INTERRUPTED
from tests.bench.commands.kills.killing import SIGNALS, Ended, Started, is_busy, registered_trees
from tests.bench.commands.kills.table import COMMANDS, TERM
from tests.bench.kept_runs import ROOT, keep, kept_runs

RECORD = ROOT / "docs" / "records" / "kills-cpu.json"
COMBINATIONS = [
    (name, number, moment)
    for (name, command), number in itertools.product(COMMANDS.items(), SIGNALS)
    for moment in command.moments
]
HANDFUL = [  # `pytest bench` is ended by each signal in a small project: tests/bench/plugin/test_plugin.py
    ("ab", "KILL", "measures"),
    ("training", "INT twice", "a twin is there"),
]
pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by /proc")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the project, in which worktrees are registered."""
    folder = tmp_path_factory.mktemp("kills") / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


@pytest.fixture(autouse=True)
def heeds_ctrl_c() -> Iterator[None]:
    """Have what is started here heed SIGINT: a shell that starts tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def killed(clone: Path, out: Path, name: str, numbers: str, moment: str) -> int:
    """Kill a command at a moment, check what it leaves, and let the next run go on; return how much was kept."""
    command = COMMANDS[name]
    out.mkdir()
    command.kept(out)
    with Started(clone, out, command.arguments(out)) as run:
        run.wait_for(command.moments[moment])
        ended = run.end(SIGNALS[numbers])
    left = set(registered_trees(clone))
    _check_end(ended, SIGNALS[numbers], (command.interrupted, INTERRUPTED))
    assert not left or not ended.cleaned_up, left
    kept = command.kept(out)
    if moment == list(command.moments)[-1]:
        assert kept or name == "ab", "what was finished by then is kept"
    with Started(clone, out, [*command.arguments(out), *command.again(out)]) as after:
        if gone_on := command.goes_on(kept):
            after.wait_for(gone_on)
            ended = after.end(TERM)
            _check_end(ended, TERM, (INTERRUPTED,))
        else:
            ended = after.finish()
            assert (ended.code, ended.left) == (0, []), ended.said
    trees = set(registered_trees(clone))
    assert not trees & left, "the next run removes them"
    assert not trees or not ended.cleaned_up, trees
    return kept


def _check_end(ended: Ended, numbers: Sequence[signal.Signals], codes: Sequence[int]) -> None:
    """Check that nothing runs any more, and that what a signal lets it say it has said."""
    assert ended.left == [], ended.said
    if signal.SIGKILL in numbers:
        assert ended.code == -signal.SIGKILL
        return
    assert ended.code in codes, ended.said
    assert "interrupt" in ended.said.lower()
    assert ended.cleaned_up or is_busy(), ended.said


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "numbers", "moment"), COMBINATIONS)
def test_nothing_is_left_and_the_next_run_goes_on(
    clone: Path, tmp_path: Path, name: str, numbers: str, moment: str
) -> None:
    combination = {"command": name, "signal": numbers, "moment": moment}
    if any(combination.items() <= run.items() for run in kept_runs(RECORD)):
        return
    kept = killed(clone, tmp_path / "out", name, numbers, moment)
    keep(RECORD, {**combination, "kept": kept, "load": os.getloadavg()[0]}, what=combination)


@pytest.mark.long
@pytest.mark.parametrize(("name", "numbers", "moment"), HANDFUL)
def test_nothing_is_left_of_a_few_and_the_next_run_goes_on(
    clone: Path, tmp_path: Path, name: str, numbers: str, moment: str
) -> None:
    killed(clone, tmp_path / "out", name, numbers, moment)


def test_there_are_sixty_combinations() -> None:
    assert len(set(COMBINATIONS)) == 60
    assert set(HANDFUL) <= set(COMBINATIONS)
