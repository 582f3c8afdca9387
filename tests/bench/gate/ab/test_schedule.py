"""Which scenarios a launch measures, and how many a budget holds."""

import math

import numpy as np
import pytest

from bench.gate.ab.boundary import boundary
from bench.gate.ab.noise import Prior
from bench.gate.ab.schedule import Pace, affordable, covering_order, launches_to_decide, measured_in
from bench.gate.ab.tolerances import Limits

SIZES = [
    f"bench_{name}[{scale}-{size}]" for name in ("decode", "prefill") for scale in ("tiny", "big") for size in "123"
]


def test_the_first_few_cover_every_benchmark_at_every_scale() -> None:
    assert {name.rpartition("-")[0] for name in covering_order(SIZES)[:4]} == {
        name.rpartition("-")[0] for name in SIZES
    }


def test_smallest_and_largest_sizes_come_before_those_between() -> None:
    assert {name[-2] for name in covering_order(SIZES)[:8]} == {"1", "3"}
    assert sorted(covering_order(SIZES)) == sorted(SIZES)


def test_a_budget_holds_as_many_as_all_launches_can_measure() -> None:
    pace = Pace(start_s=10.0, scenario_s=dict.fromkeys(SIZES, 2.0))
    assert affordable(SIZES, pace, left_s=5 * (10.0 + 3 * 2.0), num_launches=5) == SIZES[:3]
    assert affordable(SIZES, pace, left_s=5 * (10.0 + 3 * 2.0) - 1, num_launches=5) == SIZES[:2]
    assert affordable(SIZES, pace, left_s=10.0, num_launches=5) == []


def test_a_pace_is_learnt_scenario_by_scenario() -> None:
    pace = Pace().after({"a": 12.0, "b": 13.0, "c": 18.0, "d": 19.0}, 21.0)
    assert pace.scenario_s == {"a": 1.0, "b": 1.0, "c": 5.0, "d": 1.0}
    assert pace.start_s == 13.0
    assert pace.launch_s(["b", "c"]) == 19.0
    later = pace.after({"b": 20.0}, 22.0)  # a single one cannot be told from the start
    assert later.scenario_s == pace.scenario_s
    assert later.start_s == 21.0


def test_what_is_decided_keeps_a_turn_in_one_launch_of_three_while_its_group_is_open() -> None:
    chosen, still_open = SIZES[:6], [SIZES[0]]
    measured = [measured_in(number, chosen, still_open) for number in range(6)]
    assert measured == [still_open, still_open, SIZES[:3]] * 2


def test_more_noise_takes_more_launches() -> None:
    needed = [launches_to_decide(noise=Prior(spread=sd)) for sd in (0.005, 0.02, 0.034)]
    assert needed == sorted(needed)
    assert needed[0] < needed[-1]


@pytest.mark.parametrize("sd", [0.02, 0.03])
def test_that_many_launches_exclude_the_tolerance_by_hand(sd: float) -> None:
    number = launches_to_decide(Limits(tolerance=math.log(1.05)), Prior(spread=sd, state=0.0))
    real = number - len(range(1, number, 4))  # numbers 1, 5, 9, ... are placebos

    def upper(n: int) -> float:
        return float(sd * boundary(n, 0.05, 3.0)) + sd / np.sqrt(n)

    assert upper(real) < math.log(1.05) <= upper(real - 1)
