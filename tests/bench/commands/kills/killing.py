"""A command started so that whatever it starts can be found, and what is left of it once it was ended by a signal."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fixtures.programs.interrupt import FORCED

MARKER = "MOEVLM_KILL_TEST"  # in the environment, which whatever is started inherits
ENDS_S = 10.0  # that a command may take to end, and what it has started, on a machine with a core for each
MOMENT_S = 300.0  # until a command is as far as it shall be: imports on a busy machine
POLL_S = 0.02

SIGNALS: Mapping[str, Sequence[signal.Signals]] = {
    "KILL": [signal.SIGKILL],
    "HUP": [signal.SIGHUP],
    "TERM": [signal.SIGTERM],
    "INT": [signal.SIGINT],
    "INT twice": [signal.SIGINT, signal.SIGINT],
}


class Ended(NamedTuple):
    """How a command ended."""

    code: int | None  # none: not in time
    said: str  # standard output and error together
    left: Sequence[str]  # command lines of what it has started and still runs

    @property
    def cleaned_up(self) -> bool:
        """Tell whether it had the time to: not by SIGKILL, nor where it has ended itself by force."""
        return self.code != -signal.SIGKILL and FORCED not in self.said


class Started:
    """A running command: its folders, what it says, and what it has started."""

    def __init__(self, clone: Path, out: Path, arguments: Sequence[str]) -> None:
        self.clone, self.out, self._marker = clone, out, uuid.uuid4().hex
        out.mkdir(parents=True, exist_ok=True)
        self._said = out / f"said-{self._marker}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        with self._said.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=clone,
                env={**environment, "PYTHONPATH": str(clone), "COLUMNS": "200", MARKER: self._marker},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                restore_signals=True,
            )

    @property
    def said(self) -> str:
        """Return what it has said so far."""
        return self._said.read_text(errors="replace")

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *_error: object) -> None:
        """Kill what a failing test would leave."""
        for pid in self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def running(self) -> dict[int, str]:
        """Return the command lines of all that it has started and of itself, by process id, as far as they run."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = f"{MARKER}={self._marker}".encode() in (folder / "environ").read_bytes()
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it has ended meanwhile, or is another user's
                continue
            if is_ours and line:  # what is dead and not yet reaped has none
                found[int(folder.name)] = line
        return found

    def wait_for(self, moment: Callable[["Started"], bool]) -> None:
        """Wait until a command is as far; fails the test where it ends before.

        Raises:
            AssertionError: it ended, or took too long.
        """
        deadline = time.monotonic() + MOMENT_S
        while not moment(self):
            assert self.process.poll() is None, f"ended {self.process.returncode} before: {self.said}"
            assert time.monotonic() < deadline, self.said
            time.sleep(POLL_S)

    def end(self, numbers: Sequence[signal.Signals]) -> Ended:
        """Send signals, and look what is left when the time to end is over."""
        for number in numbers:
            self.process.send_signal(number)
            time.sleep(POLL_S)
        deadline = time.monotonic() + ENDS_S * max(1.0, _load())
        while (self.process.poll() is None or self.running()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return Ended(self.process.poll(), self.said, list(self.running().values()))

    def finish(self) -> Ended:
        """Let it end by itself."""
        self.process.wait(MOMENT_S)
        return Ended(self.process.returncode, self.said, list(self.running().values()))


def is_busy() -> bool:
    """Tell whether this machine has more to do than cores: what then takes long need not hang."""
    return _load() > 1


def _load() -> float:
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def says(pattern: str) -> Callable[[Started], bool]:
    """Return the moment at which a command has said something."""
    return lambda run: re.search(pattern, run.said) is not None


def leaves(pattern: str) -> Callable[[Started], bool]:
    """Return the moment at which a file is in a command's output folder."""
    return lambda run: any(run.out.rglob(pattern))


def runs(word: str) -> Callable[[Started], bool]:
    """Return the moment at which two processes with a word in their command lines run, past their start."""
    return lambda run: sum(word in line and "tied.py" not in line for line in run.running().values()) >= 2


def registered_trees(clone: Path) -> list[str]:
    """Return the worktrees that are registered beside the clone itself."""
    command = ["git", "-C", str(clone), "worktree", "list"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
