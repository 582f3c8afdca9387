"""Tests of what is compared of a scenario, and of its number a launch."""

import math

import pytest

from bench.gate.controls import controls_of
from bench.gate.readings import launch_values
from bench.gate.verdict import Control
from tests.bench.sample_records import scenario


def test_a_launch_is_one_number_the_pseudo_median_over_its_blocks() -> None:
    blocks = scenario({"moe": [2.0, 8.0, 32.0], "dense": [1.0, 1.0, 4.0]})
    # log2 of the ratios 2, 8, 8: 1, 3, 3; means of pairs 1, 2, 2, 3, 3, 3; their median 2.5
    assert launch_values(blocks, Control(arm="moe", against="dense")) == [pytest.approx(2.5 * math.log(2))]


def test_another_projects_arm_is_shown_and_not_judged() -> None:
    arms = {"moe": 1.0, "dense": 2.0, "transformers/eager": 1.5, "anchor": 1.0}
    assert [str(control) for control in controls_of(scenario(arms))] == ["moe/dense", "moe/anchor", "dense/anchor"]
