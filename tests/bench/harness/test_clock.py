"""Tests of the clocks on a scripted time."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.harness.clock import HostClock, make_clock, slowed

CPU = torch.device("cpu")


class Time:
    """A performance counter that stands still but for what a test adds, and `tick_s` for each look at it."""

    def __init__(self, tick_s: float) -> None:
        self.now, self.tick_s = 100.0, tick_s

    def __call__(self) -> float:
        self.now += self.tick_s
        return self.now

    def work(self, seconds: float) -> Callable[[], str]:
        def call() -> str:
            self.now += seconds
            return "done"

        return call


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> Time:
    scripted = Time(tick_s=0.0001)
    monkeypatch.setattr(time, "perf_counter", scripted)
    monkeypatch.setattr(HostClock, "_waited_s", lambda _clock: 0.0)  # other processes wait in no scripted time
    return scripted


def test_host_clock_returns_seconds_and_result(fake_time: Time) -> None:
    fake_time.tick_s = 0.0
    seconds, result = HostClock().measure(fake_time.work(0.25))
    assert seconds == pytest.approx(0.25)
    assert result == "done"


def test_a_cpu_is_timed_by_the_host_and_never_throttled() -> None:
    clock = make_clock(CPU)
    assert isinstance(clock, HostClock)
    assert not clock.throttled()


@pytest.mark.parametrize("factor", [1.0, 1.3, 4.0])
def test_slowed_call_takes_the_factor_and_no_more_than_needed(fake_time: Time, factor: float) -> None:
    timed = HostClock().measure(slowed(fake_time.work(0.5), factor, CPU))
    assert timed.result == "done"
    assert factor * 0.5 <= timed.seconds <= factor * 0.5 + 20 * fake_time.tick_s


def test_error_of_a_slowed_call_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        slowed(lambda: 1 / 0, 2.0, CPU)()


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux tells how long a thread waited")
def test_time_in_the_run_queue_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HostClock()
    readings = iter([b"9000 2000000000 1\n", b"9999 2500000000 2\n"])  # half a second in the queue during the call
    monkeypatch.setattr("bench.harness.clock.os.pread", lambda *_: next(readings))
    times = iter([10.0, 12.0])
    monkeypatch.setattr("bench.harness.clock.time.perf_counter", lambda: next(times))
    assert clock.measure(lambda: "result") == (pytest.approx(1.5), "result")


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux tells how long a thread waited")
def test_the_kernels_statistics_are_read_as_they_are() -> None:
    clock = HostClock()
    before = int(Path("/proc/thread-self/schedstat").read_text().split()[1])
    waited = clock._waited_s()
    after = int(Path("/proc/thread-self/schedstat").read_text().split()[1])
    assert before <= round(waited * 1e9) <= after
