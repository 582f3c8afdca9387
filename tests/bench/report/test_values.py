"""Numbers of the page against numbers computed by hand."""

import math

import pytest

from bench.gate.shares import LEAD, facts_of
from bench.gate.stats import Interval
from bench.report.values import limits, over_moe, rounded, value_of
from tests.bench.sample_records import scenario


def test_one_launch_is_compared_by_its_blocks() -> None:
    one = scenario({"moe": [1.0, 2.0, 4.0], "dense": [2.0, 5.0, 16.0], "anchor": [1.0, 1.0, 1.0]})
    assert over_moe(one.arms["dense"], one.arms["moe"]) == pytest.approx((2.5, 2.0, 4.0))


def test_several_launches_are_compared_by_their_medians() -> None:
    launches = [
        {"moe": [1.0, 1.0, 1.0], "dense": [ratio, ratio, 9.0], "anchor": [1.0] * 3} for ratio in (2.0, 3.0, 4.0)
    ]
    one = scenario(*launches)
    assert over_moe(one.arms["dense"], one.arms["moe"]) == pytest.approx((3.0, 2.0, 4.0))
    assert value_of(one.arms["dense"]) == 3.0


def test_what_is_counted_has_a_ratio_and_no_interval() -> None:
    one = scenario({"moe": 100.0, "dense": 125.0}, metric="peak_bytes")
    assert limits(over_moe(one.arms["dense"], one.arms["moe"])) == (1.25, None, None)


def test_a_share_has_its_lead_in_points_with_the_interval_that_the_record_keeps() -> None:
    facts = facts_of({}, {"dense": Interval(0.05, -0.01, 0.11)})
    one = scenario({"moe": 0.6, "dense": 0.65}, metric="accuracy", facts=facts)
    assert f"{LEAD}:dense:estimate" in facts
    assert over_moe(one.arms["dense"], one.arms["moe"]) == pytest.approx((5.0, -1.0, 11.0))


def test_a_share_of_an_older_record_has_its_lead_alone() -> None:
    one = scenario({"moe": 0.6, "dense": 0.65}, metric="accuracy")
    found = over_moe(one.arms["dense"], one.arms["moe"])
    assert found is not None
    assert found.estimate == pytest.approx(5.0)
    assert not found.is_bounded


def test_an_arm_all_of_whose_blocks_were_voided_has_no_value() -> None:
    one = scenario({"moe": [], "dense": [], "anchor": []}, voided=4)
    assert value_of(one.arms["moe"]) is None
    assert over_moe(one.arms["dense"], one.arms["moe"]) is None


def test_what_is_no_number_is_nothing() -> None:
    assert [rounded(value) for value in (math.nan, math.inf, None)] == [None, None, None]
