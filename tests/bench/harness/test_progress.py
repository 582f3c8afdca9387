"""Tests of the progress on a terminal and in a log."""

import io
import os
import pty
import sys
import time

import pytest
from rich.cells import cell_len
from rich.console import Console

from bench.harness.progress import LOG_WIDTH, RunProgress, console_of, notes

UP, CLEAR = "\x1b[1A", "\x1b[2K"
LONG = "bench_generate[proxy-mathvista-uniform-b1-snatural]"


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds of a monotonic clock that stands still but for what a test sets."""
    scripted = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: scripted[0])
    return scripted


def on_terminal(width: int = 80) -> tuple[io.StringIO, Console]:
    screen = io.StringIO()
    return screen, Console(file=screen, width=width, force_terminal=True, color_system=None)


def test_a_log_gets_a_line_a_scenario_with_the_time_left(now: list[float]) -> None:
    log = io.StringIO()
    progress = RunProgress(Console(file=log, width=200), total=3)
    progress.begin("bench_x[a]")
    now[0] = 20.0
    progress.begin("bench_x[b]")
    now[0] = 400.0
    progress.begin("bench_x[c]")
    progress.note("measuring 2 suspects [again]")
    progress.end()
    assert [line.strip() for line in log.getvalue().splitlines()] == [
        "[1/3] bench_x[a]",
        "[2/3] bench_x[b]  about 40 s left",
        "[3/3] bench_x[c]  about 3 min left",
        "measuring 2 suspects [again]",
    ]


def test_a_terminal_has_one_line_that_holds_the_longest_id_and_is_gone_at_the_end(now: list[float]) -> None:
    screen, console = on_terminal()
    progress = RunProgress(console, total=48)
    for number in range(35):
        now[0] = 10.0 * number
        progress.begin(LONG)
    progress.note("measuring 2 suspects [again]")
    shown = screen.getvalue()
    assert f"[35/48] about 2 min left {LONG}" in shown
    assert "measuring 2 suspects [again]" in shown
    assert shown.count("\n") == 0  # so every text took the place of the one before
    progress.end()
    assert screen.getvalue().endswith(f"{UP}{CLEAR}")


@pytest.mark.usefixtures("now")
def test_what_is_too_long_for_the_line_is_cut_and_wraps_into_no_second() -> None:
    screen, console = on_terminal(width=40)
    RunProgress(console, total=3).begin(LONG)
    assert "\n" not in screen.getvalue()
    (line,) = (part for part in screen.getvalue().replace("\r", "\n").split("\n") if "bench" in part)
    assert cell_len(line.split(CLEAR)[-1].replace("\x1b[?25l", "")) == 40


def test_a_log_is_plain_whatever_the_environment_says_of_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    console = console_of()
    assert (console.is_terminal, console.color_system, console.width) == (False, None, LOG_WIDTH)


def open_pty(monkeypatch: pytest.MonkeyPatch, stream: str) -> int:
    """Make a standard stream a terminal's; return what reads it."""
    reading, writing = pty.openpty()
    monkeypatch.setattr(sys, stream, os.fdopen(writing, "w"))
    monkeypatch.setenv("TERM", "xterm-256color")
    return reading


@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_has_colours_unless_they_are_refused(monkeypatch: pytest.MonkeyPatch, colour: bool) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLORTERM", raising=False)
    reading = open_pty(monkeypatch, "stdout")
    console_of(colour=colour).print("x", style="red")
    assert ("\x1b[31m" in os.read(reading, 100).decode()) == colour


def test_notes_are_one_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = open_pty(monkeypatch, "stderr")
    with notes() as note:
        note("launch 1")
        note("launch 2")
    said = ""
    while not said.endswith(f"{UP}{CLEAR}"):  # a terminal hands over what was written piece by piece
        said += os.read(reading, 10_000).decode()
    assert "launch 1" in said
    assert "launch 2" in said
    assert said.count("\n") == 1  # from which the end went up again


def test_notes_are_a_line_each_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with notes() as note:
        note("launch 1")
        note("launch 2")
    assert capsys.readouterr().err == "launch 1\nlaunch 2\n"
