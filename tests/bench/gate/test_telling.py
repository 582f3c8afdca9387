"""Tests of changes in words: percent with an interval, exact percent, points."""

import math
from dataclasses import replace

from bench.gate.stats import Interval
from bench.gate.telling import bound, moved
from bench.gate.verdict import Verdict
from tests.bench.sample_verdicts import change

SLOWER = change(Verdict.REGRESSED, estimate=math.log(1.3))


def test_what_is_timed_moved_by_percent_with_its_interval_where_it_is_asked_for() -> None:
    assert moved(SLOWER) == "+30.0 % [+28.7, +31.3]"
    assert moved(SLOWER, with_interval=False) == "+30.0 %"
    assert (bound(SLOWER), bound(SLOWER, ".0f")) == ("10.0 %", "10 %")


def test_what_is_counted_has_no_interval() -> None:
    exact = replace(SLOWER, interval=Interval(*[math.log(1.22)] * 3))
    assert moved(exact) == "+22.0 %"


def test_a_share_moved_by_points_of_what_it_was_and_falls_below_0() -> None:
    estimate = math.log(0.8 / 0.6)
    fallen = replace(SLOWER, interval=Interval(*[estimate] * 3), tolerance=math.log(0.8 / 0.76), share=0.8)
    assert moved(fallen) == "-20.0 points"
    assert (bound(fallen), bound(fallen, ".0f")) == ("4.0 points", "4 points")
    rounded = replace(fallen, interval=Interval(*[1e-6] * 3))
    assert moved(rounded) == "+0.0 points"
