"""Tests of signals: the first ends a command and lets it clean up, later ones disturb nothing."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moevlm_programs.interrupt import FORCED, end_on_signals

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COMMAND = """
import pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started ignoring it
from moevlm_programs.interrupt import end_on_signals
end_on_signals()
try:
    print("working", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("cleaning", flush=True)
    sys.stdin.readline()  # whatever comes meanwhile
    pathlib.Path("cleaned").touch()
    sys.exit(130)
"""


@contextmanager
def started(code: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a program in a folder and wait until it works; it is killed with the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "working\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("first", "second"), list(itertools.product(SIGNALS, SIGNALS)))
def test_a_second_signal_does_not_disturb_the_cleaning_up(
    tmp_path: Path, first: signal.Signals, second: signal.Signals
) -> None:
    with started(COMMAND, tmp_path) as process:
        process.send_signal(first)
        assert process.stdout is not None
        assert process.stdout.readline() == "cleaning\n"
        process.send_signal(second)
        said, complaints = process.communicate("go on\n", timeout=60)
    assert (process.returncode, said, complaints) == (130, "", "")
    assert (tmp_path / "cleaned").exists()


HANGS = """
import signal, time
import moevlm_programs.interrupt as interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)
interrupt.LONGEST_S = 0.5
interrupt.end_on_signals()
try:
    print("working", flush=True)
    time.sleep(600)
finally:
    time.sleep(600)
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_what_does_not_end_by_itself_is_ended_and_says_so(tmp_path: Path, number: signal.Signals) -> None:
    with started(HANGS, tmp_path) as process:
        process.send_signal(number)
        _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (130, FORCED)


def test_signals_mean_what_they_meant_once_a_process_goes_on() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    restore = end_on_signals()
    during = [signal.getsignal(number) for number in SIGNALS]
    restore()
    assert during != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_signal_that_was_ignored_from_the_start_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers = dict.fromkeys(SIGNALS, signal.SIG_IGN)
    monkeypatch.setattr(signal, "getsignal", handlers.__getitem__)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    end_on_signals()
    assert set(handlers.values()) == {signal.SIG_IGN}
