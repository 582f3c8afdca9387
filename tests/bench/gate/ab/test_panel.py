"""Launches arranged as arrays: by hand."""

import math

import numpy as np

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.panel import panel_of

DENSE_OF_A = 1.1


def launch(number: int, scenario: str, *, counted: bool = False, **head: float) -> PairedLaunch:
    return PairedLaunch(
        scenario=scenario,
        arms={arm: ([1.0], [value]) for arm, value in head.items()},
        is_placebo=number == 1,
        number=number,
        sign=1.0,
        counted=counted,
        params={"scale": "tiny"},
    )


def test_launches_stand_by_number_scenario_and_arm_and_what_was_not_measured_is_nan() -> None:
    found = panel_of(
        [
            launch(0, "bench_decode[a]", moe=2.0, dense=DENSE_OF_A, anchor=3.0),
            launch(0, "bench_vision[b]", moe=4.0),
            launch(1, "bench_decode[a]", moe=1.0, dense=1.0),
            launch(4, "bench_vision[b]", moe=8.0),
        ]
    )
    assert found.scenarios == ["bench_decode[a]", "bench_vision[b]"]
    assert found.arms == ["moe", "dense"]  # the anchor is not judged
    assert found.is_placebo_L.tolist() == [False, True, False]
    assert found.group_of_S == ["decode at tiny", "vision at tiny"]
    nan = math.nan
    expected = [[[2, DENSE_OF_A], [4, nan]], [[1, 1], [nan, nan]], [[nan, nan], [8, nan]]]
    np.testing.assert_allclose(np.exp(found.values_LSA), expected)


def test_what_is_counted_is_left_out() -> None:
    assert panel_of([launch(0, "bench_memory[a]", counted=True, moe=1.0)]).scenarios == []
