"""Tests of shares: intervals survive a record, and a log ratio is as many points as the shares differ by."""

import math

import pytest

from bench.gate.shares import LEAD, LEVEL, facts_of, interval_of, is_share, points
from bench.gate.stats import Interval
from bench.harness.metrics import METRICS


def test_intervals_are_read_as_they_were_written() -> None:
    level, lead = Interval(0.7, 0.6, 0.8), Interval(-0.1, -0.2, 0.05)
    facts = {"num_questions": 88.0, **facts_of({"moe": Interval(0.8, 0.7, 0.9), "dense": level}, {"dense": lead})}
    assert interval_of(facts, LEVEL, "dense") == level
    assert interval_of(facts, LEAD, "dense") == lead
    assert interval_of(facts, LEAD, "moe") is None
    assert interval_of({"num_questions": 88.0}, LEVEL, "moe") is None


@pytest.mark.parametrize(("base", "new"), [(0.8, 0.6), (0.6, 0.8), (0.5, 0.5)])
def test_points_are_the_difference_of_the_shares(base: float, new: float) -> None:
    assert points(base, math.log(base / new)) == pytest.approx(100 * (new - base))


def test_accuracy_is_a_share_and_neither_seconds_nor_bytes_are() -> None:
    assert {name for name in METRICS if is_share(name)} == {"accuracy", "mfu", "mbu"}
