"""Tests of the clocks on a scripted time."""

import time
from collections.abc import Callable

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
