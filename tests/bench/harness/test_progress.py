"""Tests of the progress on a terminal and in a log."""

import io
import time

import pytest
from rich.console import Console

from bench.harness.progress import RunProgress


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds of a monotonic clock that stands still but for what a test sets."""
    scripted = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: scripted[0])
    return scripted


def test_a_log_gets_a_line_a_scenario_with_the_time_left(now: list[float]) -> None:
    log = io.StringIO()
    progress = RunProgress(Console(file=log, width=200), total=3)
    progress.begin("bench_x[a]")
    now[0] = 20.0
    progress.begin("bench_x[b]")
    now[0] = 400.0
    progress.begin("bench_x[c]")
    assert [line.strip() for line in log.getvalue().splitlines()] == [
        "[1/3] bench_x[a]",
        "[2/3] bench_x[b]  about 40 s left",
        "[3/3] bench_x[c]  about 3 min left",
    ]


@pytest.mark.usefixtures("now")
def test_a_terminal_shows_the_whole_id_of_what_runs() -> None:
    screen = io.StringIO()
    progress = RunProgress(Console(file=screen, width=200, force_terminal=True, color_system=None), total=3)
    progress.begin("bench_x[tiny-b1]")
    shown = screen.getvalue()
    progress.note("measuring 2 suspects [again]")
    assert "bench_x[tiny-b1]" in shown
    assert "0/3" in shown
    assert "measuring 2 suspects [again]" in screen.getvalue()
