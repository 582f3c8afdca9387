"""Tests of the longest block: what floors sum to, and what is not known."""

import math

import pytest

from bench.harness.longest import floors_s, refusal

PEAKS = {"matmul_flop_per_s": 10.0, "copy_byte_per_s": 2.0}


def test_a_block_lasts_its_arms_floors_and_the_shortest_again_for_the_anchor() -> None:
    costs = {"moe": {"flops": 10.0, "bytes": 6.0}, "dense": {"flops": 50.0, "bytes": 6.0}}  # 3 s and 5 s
    assert floors_s(costs, 4, PEAKS) == pytest.approx(4 * (3 + 5 + 3))


@pytest.mark.parametrize(
    ("costs", "peaks"),
    [
        ({}, PEAKS),
        ({"moe": {"flops": 1.0, "bytes": 1.0}}, {}),
        ({"moe": {"flops": 1.0, "bytes": 1.0}, "x": None}, PEAKS),
    ],
)
def test_without_the_work_of_every_arm_or_peaks_nothing_is_known(
    costs: dict[str, object], peaks: dict[str, float]
) -> None:
    assert floors_s(costs, 1, peaks) is None  # type: ignore[arg-type]


def test_a_number_that_is_none_refuses_nothing() -> None:
    assert refusal(math.nan, 600.0, "") == ""
    assert refusal(1e9, math.inf, "") == ""
