"""Tests of what options say: times and slowdowns."""

import argparse

import pytest

from bench.harness.reading import inject_option, seconds, slowdowns


def test_a_time_is_a_number_with_its_unit() -> None:
    assert [seconds(text) for text in ("90", "90s", "20m", "0.5h", ".2")] == [90.0, 90.0, 1200.0, 1800.0, 0.2]


@pytest.mark.parametrize("text", ["9ms", "10min", "5d", "m", "", "-5m", "0s", "nan", "1e3s", "9 m", "9mm"])
def test_anything_else_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"must be above 0, in s, m or h, like 90s or 20m, got '"):
        seconds(text)


def test_slowdowns_are_factors_by_arm() -> None:
    assert slowdowns("moe=1.3,dense=2") == {"moe": 1.3, "dense": 2.0}
    assert slowdowns("moe=1,dense=100") == {"moe": 1.0, "dense": 100.0}
    assert slowdowns("") == {}


@pytest.mark.parametrize(
    "text", ["moe", "moe=", "moe=fast", "=1.3", "moe=0.9", "moe=100.1", "moe=nan", "moe=inf", "moe=1.3,x"]
)
def test_a_slowdown_that_makes_no_sense_is_refused_with_rule_and_remedy(text: str) -> None:
    rule = r"must be ARM=FACTOR,\.\.\. with factors from 1 to 100, got '.*'; moe=1\.3 makes the MoE 30 % slower"
    with pytest.raises(argparse.ArgumentTypeError, match=rule):
        slowdowns(text)


def test_a_fresh_process_is_told_the_same_slowdowns() -> None:
    (option,) = inject_option({"moe": 1.05, "dense": 2.0})
    assert slowdowns(option.removeprefix("--inject=")) == {"moe": 1.05, "dense": 2.0}
    assert inject_option({}) == []
