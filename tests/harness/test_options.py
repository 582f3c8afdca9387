"""Tests of the harness's options that need no run; bad ones in a run are tested in test_plugin.py."""

import pytest

from bench.harness.options import parse_slowdowns


def test_slowdowns_are_factors_by_arm() -> None:
    assert parse_slowdowns("moe=1.3,dense=2") == {"moe": 1.3, "dense": 2.0}
    assert parse_slowdowns("") == {}


@pytest.mark.parametrize("text", ["moe", "moe=", "moe=fast", "=1.3", "moe=0.9", "moe=nan", "moe=inf", "moe=1.3,x"])
def test_a_slowdown_that_makes_no_sense_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(pytest.UsageError, match=r"--inject must be ARM=FACTOR,\.\.\. with factors from 1 to 100, got"):
        parse_slowdowns(text)
