"""Start a fresh process that measures given scenarios, and read what it leaves, even if it is cut short."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.gate.inherited import fresh_environment
from bench.gate.verdict import Verdict
from bench.harness.options import ON_DEVICE
from bench.harness.record import Record, load
from bench.harness.scratch import scratch
from bench.harness.tied import tied

# Plugins that a fresh process does without: a cache shared with others, and one that imports for a second at the end.
WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
OUTPUT_SHOWN = 800  # last characters of a failed launch's output: pytest's own summary of what went wrong


class LaunchFailed(Exception):  # noqa: N818  # named after its verdict, FAILED, as CorruptRecord is
    """A fresh process ended without a record, or not in time."""

    def __init__(self, message: str, verdict: Verdict, partial: Record | None = None) -> None:
        super().__init__(message)
        self.verdict = verdict  # of the scenarios it should have measured
        self.partial = partial  # what it had measured until it was cut short


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """How to start a fresh process that measures given scenarios."""

    root: Path
    options: Sequence[str]  # pytest options that select the same machine, model and inputs

    def on(self, device: str) -> "Launcher":
        """Return a launcher whose processes measure on one of the devices that the workers of a run had; "" is any."""
        return replace(self, options=[*self.options, f"{ON_DEVICE}={device}"]) if device else self

    def measure(self, node_ids: Sequence[str], *, timeout_s: float) -> Record:
        """Run the scenarios in a fresh process.

        Raises:
            LaunchFailed: if it ended without a record (with the end of its output), or not in time (with what it had).
        """
        with scratch("launch") as folder:
            path = folder / "record.json"
            command = [sys.executable, "-m", "pytest", *node_ids, *self.options]
            command += [*WITHOUT, "--compare=off", f"--record={path}", "-q"]
            try:
                done = subprocess.run(
                    tied(command),
                    cwd=self.root,
                    env=fresh_environment(),
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    timeout=timeout_s,
                    check=False,
                    start_new_session=True,
                )
            except subprocess.TimeoutExpired as error:
                why = f"a fresh launch did not end within the {timeout_s:.0f} s left; raise --time-budget"
                partial = load(path) if path.exists() else None
                raise LaunchFailed(why, Verdict.INCONCLUSIVE, partial) from error
            if not path.exists():
                why = f"a fresh launch ended {done.returncode} without a record: {done.stdout[-OUTPUT_SHOWN:]}"
                raise LaunchFailed(why, Verdict.FAILED)
            return load(path)
