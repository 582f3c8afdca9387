"""Run what is left of the steps, each in fresh processes, until all is there or the time is up."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.evidence.campaign.archive import pack
from bench.evidence.campaign.plan import Step
from bench.evidence.campaign.state import State, check_same_options, record_path, state_of
from bench.evidence.campaign.took import note_took
from bench.evidence.processes import Ended, run_logged
from bench.gate.verdict import EXIT_CODES, Verdict
from bench.harness.writing import make_folder
from fixtures.programs.codes import USAGE_ERROR

SPARE_LAUNCHES = 1  # for scenarios that a launch has lost; what fails twice would fail again
SHORTEST_S = 20.0  # less does not get past imports and peaks
ENDINGS = (0, 1, 2, 16)  # pytest: passed, failed, interrupted; ours: a scenario's record could not be kept
FOLDER = "{out}"  # in a step's options: the campaign's folder
REHEARSED = ("bench.rehearsal.child",)  # becomes the module behind it, on a GPU that is not there
WRONG = EXIT_CODES[Verdict.WRONG]


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One call of the command: what it measures, where and how long."""

    root: Path
    folder: Path  # takes the records
    options: Sequence[str]  # as of pytest bench, after each step's own; programs take none
    deadline: float  # on the monotonic clock
    archive: Path | None = None  # takes all that is there, after each process
    is_rehearsed: bool = False  # on a GPU that is not there


def run_steps(steps: Sequence[Step], invocation: Invocation, note: Callable[[str], None]) -> dict[str, str]:
    """Run what is left, in the order of the steps' value.

    Returns:
        By step what went wrong with it: a process that ended otherwise than by measuring.

    Raises:
        ValueError: The first process of the campaign was refused its options: all others would be.
        RecordWriteError: The folder cannot be made.
    """
    make_folder(invocation.folder)
    troubles: dict[str, str] = {}
    for step in steps:
        check_same_options(invocation.folder, step, _options(step, invocation)[len(step.options) :])
        state = state_of(invocation.folder, step)
        while not state.is_done and _left_s(invocation) > SHORTEST_S and step.name not in troubles:
            said = "" if state.wanted is None else f", {len(state.left)} left"
            note(f"{step.name}: {step.why}{said}; {_left_s(invocation):.0f} s")
            ended = _timed(step, state, invocation)
            has_begun = any(state_of(invocation.folder, one).launches for one in steps)
            if ended.code == USAGE_ERROR and not has_begun:  # else it is this step's own alone
                raise ValueError(f"steps must be able to start, got of {step.name}: {ended.said}; correct the options")
            before, state = state, state_of(invocation.folder, step)
            if trouble := _trouble(step, ended, before, state, invocation):
                troubles[step.name] = trouble
                note(f"{step.name}: {trouble}")
    return troubles


def _trouble(step: Step, ended: Ended, before: State, state: State, invocation: Invocation) -> str:
    """Say why a step cannot go on; empty where another process may bring what is left."""
    if ended.code == WRONG and state.wrong:
        return "; ".join(state.wrong_answers)
    if ended.code is not None and ended.code not in ((0,) if step.program else ENDINGS):
        return f"its process ended {ended.code}: {ended.said}"
    if ended.code is None and _left_s(invocation) > 0 and not state.is_done:
        return f"it was ended after {step.most_s:.0f} s, {len(state.left)} left; see {_log(invocation, step)}"
    if state.is_done or _left_s(invocation) <= 0 or _may_go_on(step, before, state):
        return ""
    return f"{', '.join(sorted(state.left))} failed; see {_log(invocation, step)}"


def _may_go_on(step: Step, before: State, state: State) -> bool:
    """Tell whether another process can bring what is left: something was new, and not all launches have been tried."""
    if step.launches > 1 and state.launches >= step.launches + SPARE_LAUNCHES:
        return False
    return len(state.left) < len(before.left) or before.wanted is None or state.num_measured > before.num_measured


def _left_s(invocation: Invocation) -> float:
    return invocation.deadline - time.monotonic()


def _timed(step: Step, state: State, invocation: Invocation) -> Ended:
    """Run one process; note how long it took, and pack what is there by then."""
    started = time.monotonic()
    ended = _run(step, state, invocation)
    note_took(invocation.folder, step, time.monotonic() - started, ended=ended.code is not None)
    if invocation.archive:
        pack(invocation.folder, invocation.archive)
    return ended


def _run(step: Step, state: State, invocation: Invocation) -> Ended:
    """Run one process; return how it ended."""
    command = [sys.executable, "-m", *(REHEARSED if invocation.is_rehearsed else ()), *_words(step, state, invocation)]
    left_s = max(0.0, _left_s(invocation))
    is_bounded = step.most_s and not invocation.is_rehearsed  # a CPU is slower than what the bound is of
    timeout_s = min(left_s, step.most_s) if is_bounded else left_s
    return run_logged(command, root=invocation.root, log=_log(invocation, step), timeout_s=timeout_s)


def _words(step: Step, state: State, invocation: Invocation) -> list[str]:
    """Return the module that does what is left of a step, and its arguments."""
    if step.program:
        return [*step.program, *_options(step, invocation)]
    return _suites(step, invocation) if step.suites else _launch(step, state, invocation)


def _options(step: Step, invocation: Invocation) -> list[str]:
    """Return a step's options, those that override them behind."""
    rehearsed = step.rehearsal if invocation.is_rehearsed else ()
    own = [word.replace(FOLDER, str(invocation.folder.resolve())) for word in (*step.options, *rehearsed)]
    return [*own, *(() if step.program else invocation.options)]


def _launch(step: Step, state: State, invocation: Invocation) -> list[str]:
    """Return the words that measure what is left of a step: of several launches, the next one whole."""
    path = record_path(invocation.folder, step, state.launches + 1).resolve()
    known = [record_path(invocation.folder, step, number + 1) for number in range(state.launches)]
    files = [f"bench/{name}" for name in step.files]
    options = ["--compare=off", f"--record={path}", *_left_out(known, step)]
    return ["pytest", *files, *_options(step, invocation), *options]


def _left_out(known: Sequence[Path], step: Step) -> list[str]:
    """Leave out what earlier processes have measured; every launch of several measures all again."""
    return [f"--measured={path.resolve()}" for path in known] if step.launches == 1 else []


def _suites(step: Step, invocation: Invocation) -> list[str]:
    path = record_path(invocation.folder, step, 1).resolve()
    command = ["bench", "qualify", f"--record={path}", f"--suites={step.suites}"]
    command.append(f"--budget={max(SHORTEST_S, _left_s(invocation)):.0f}s")
    return [*command, "--", *_options(step, invocation)]


def _log(invocation: Invocation, step: Step) -> Path:
    return invocation.folder / f"{step.name}.log"
