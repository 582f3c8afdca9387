"""Steps against Pettitt's definition written out, and series made for the purpose."""

import itertools
import math
import random

import numpy as np
import pytest

from bench.report.steps import find_steps, pettitt


def by_definition(values: list[float]) -> tuple[int, float]:
    """Return the first place of the largest |U_t|, U_t the sum of sign(x_j - x_i) over i up to t and j after it."""
    num = len(values)
    sums = [abs(sum(np.sign(values[j] - values[i]) for i in range(t) for j in range(t, num))) for t in range(1, num)]
    largest = max(sums)
    return sums.index(largest) + 1, min(1.0, 2 * math.exp(-6 * largest**2 / (num**3 + num**2)))


def test_the_rank_sums_are_the_statistic_as_it_is_defined() -> None:
    drawn = random.Random(0)
    for num in (8, 13, 30):
        values = [drawn.gauss(0.3 * (i > num / 2), 0.2) for i in range(num)]
        assert pettitt(np.array(values)) == pytest.approx(by_definition(values))


def noise(num: int, seed: int) -> list[float]:
    drawn = random.Random(seed)
    return [drawn.gauss(0.0, 0.02) for _ in range(num)]


def test_a_step_is_found_where_it_is_with_its_size() -> None:
    before, after = noise(12, 1), [value + 0.1 for value in noise(14, 2)]
    (step,) = find_steps([*before, *after])
    assert step.first == 12
    assert step.log_ratio == pytest.approx(np.median(after) - np.median(before))


def test_two_steps_are_found_each_against_what_lies_next_to_it() -> None:
    parts = [noise(15, 3), [value + 0.2 for value in noise(15, 4)], [value - 0.1 for value in noise(15, 5)]]
    steps = find_steps(list(itertools.chain(*parts)))
    assert [step.first for step in steps] == [15, 30]
    assert [step.log_ratio for step in steps] == pytest.approx([0.2, -0.3], abs=0.02)


def test_noise_alone_steps_about_as_rarely_as_is_said() -> None:
    stepping = sum(bool(find_steps(noise(30, 100 + seed))) for seed in range(500))
    assert stepping <= 12  # 1 % of 500 are 5; 13 or more have a chance of 0.2 %


def test_few_runs_and_one_disturbed_run_are_no_step() -> None:
    assert find_steps([0.0, 0.0, 0.0, 0.5, 0.5, 0.5]) == []
    assert find_steps([*noise(10, 6), 0.9, *noise(10, 7)]) == []
    assert find_steps([]) == []
