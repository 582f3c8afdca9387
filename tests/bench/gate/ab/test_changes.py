"""Tests of what one launch of both sides says: by hand."""

import math

import pytest

from bench.gate.ab.changes import BASE, MACHINE, is_judged, launch_changes
from bench.gate.ab.launches import PairedLaunch
from bench.gate.verdict import Control

MOE, DENSE = Control(arm="moe", against=BASE), Control(arm="dense", against=BASE)
Blocks = tuple[list[float], list[float]]


def launch(*, sign: float = 1.0, counted: bool = False, scenario: str = "a", **arms: Blocks) -> PairedLaunch:
    return PairedLaunch(scenario=scenario, arms=arms, is_placebo=False, sign=sign, counted=counted)


def test_a_launch_is_the_pseudo_median_over_its_blocks() -> None:
    # log2 of head / base: 1, 3, 3; means of pairs 1, 2, 2, 3, 3, 3; their median 2.5
    changes = launch_changes(launch(moe=([1.0, 1.0, 4.0], [2.0, 8.0, 32.0])))
    assert changes == {MOE: pytest.approx(2.5 * math.log(2))}


def test_above_zero_is_worse_where_higher_is_better_too() -> None:
    assert launch_changes(launch(moe=([0.5], [0.25]), sign=-1.0))[MOE] == pytest.approx(math.log(2))


def test_counts_of_zero_are_equal_or_infinitely_far() -> None:
    assert launch_changes(launch(moe=([0.0], [0.0]), counted=True))[MOE] == 0.0
    assert launch_changes(launch(moe=([0.0], [2.0]), counted=True))[MOE] == math.inf
    assert launch_changes(launch(moe=([0.5], [0.0]), sign=-1.0, counted=True))[MOE] == math.inf


def test_unequal_numbers_of_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="same blocks, got 1 of head and 2 of base"):
        launch_changes(launch(moe=([1.0, 1.0], [1.0])))


def test_heads_code_is_judged_and_the_anchor_and_other_projects_are_not() -> None:
    reference = Control(arm="dense_reference", against=BASE)
    peer = Control(arm="transformers/eager", against=BASE)
    judged = [is_judged(control) for control in (MOE, DENSE, reference, MACHINE, peer)]
    assert judged == [True] * 3 + [False] * 2
