"""One process of a long measurement: what it says goes to a log, Ctrl-C ends it, and how it ended is told."""

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.gate.inherited import fresh_environment
from bench.harness.tied import tied

GRACE_S = 5.0  # for a process that was told to end: what it has finished is on disk already
LOG_SHOWN = 600  # last characters


class Ended(NamedTuple):
    """How a process ended: its exit code, none where the time was up, and the end of what it said."""

    code: int | None
    said: str


def run_logged(command: Sequence[str], *, root: Path, log: Path, timeout_s: float | None = None) -> Ended:
    """Run a command in a folder, appending what it says to a log; without a time limit, however long it takes."""
    with log.open("a") as file:
        begun = file.tell()
        process = subprocess.Popen(
            tied(command),
            cwd=root,
            env=fresh_environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # a session of its own: the terminal's Ctrl-C comes through us, once
        try:
            code = process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _interrupt(process)
            return Ended(None, "")
        except BaseException:
            _interrupt(process)
            raise
    with log.open() as file:
        file.seek(begun)
        return Ended(code, file.read()[-LOG_SHOWN:].strip())


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """End a process as Ctrl-C does, by force if it does not heed."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
