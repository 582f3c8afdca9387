"""Tests of what commands read from their options."""

import argparse

import pytest

from bench.harness.commands.parsing import seconds


def test_a_time_is_a_number_with_its_unit() -> None:
    assert [seconds(text) for text in ("90", "90s", "20m", "0.5h")] == [90.0, 90.0, 1200.0, 1800.0]


@pytest.mark.parametrize("text", ["9ms", "10min", "5d", "m", "", "-5m", "0s", "nan", "1e3s", "9 m", "9mm"])
def test_anything_else_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"must be above 0, in s, m or h, like 90s or 20m, got '"):
        seconds(text)
