"""What launches tell of their own noise, against the noise that they were drawn with."""

import math

import numpy as np
import pytest

from bench.gate.ab.noise import Prior, median_of_others, noise_of, robust_spread
from tests.bench.gate.ab.suites import FAMILIES, changed, effects, panel

NO_PRIOR = Prior(spread_worth=1e-9, state_worth=1e-9)
SHAPE = (16, 48, 2)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize("sd", [0.01, 0.034])
def test_the_spread_is_what_launches_were_drawn_with(sd: float) -> None:
    drawn = panel(sd * rng().normal(size=SHAPE))
    assert noise_of(drawn, NO_PRIOR).spread == pytest.approx(sd, rel=0.06)


def test_a_change_of_code_is_no_noise() -> None:
    drawn = 0.02 * rng().normal(size=SHAPE)
    slow = changed(drawn, effects(48, {(None, "moe"): 30.0}))
    assert noise_of(panel(slow), NO_PRIOR).spread == pytest.approx(noise_of(panel(drawn), NO_PRIOR).spread, rel=1e-6)


def test_before_launches_can_tell_the_prior_speaks() -> None:
    drawn = panel(np.zeros((2, 3, 2)))
    assert 0.015 < noise_of(drawn, Prior(spread=0.02)).spread <= 0.02
    assert noise_of(drawn, Prior(state=0.05)).state_sd == pytest.approx(0.05)


def test_a_noisy_scenario_has_its_own_spread_and_a_quiet_one_the_suites() -> None:
    drawn = 0.02 * rng().normal(size=SHAPE)
    drawn[:, 0] *= 5
    drawn[:, 1] /= 5
    noise = noise_of(panel(drawn))
    assert np.all(noise.spread_SA[0] > 2 * noise.spread)
    assert np.all(noise.spread_SA[1] == noise.spread)


def test_what_a_launch_does_to_all_is_its_state_and_is_told_by_the_others() -> None:
    states = np.array([0.05, 0.0, -0.05, 0.02] * 4)
    drawn = 0.01 * rng().normal(size=SHAPE) + states[:, None, None]
    found = noise_of(panel(drawn)).state_LS
    assert np.abs(found - states[:, None]).max() < 0.006
    alone = noise_of(panel(drawn[:, :1]))
    assert np.all(alone.state_LS == 0)  # a single scenario has no others


def test_the_few_scenarios_that_are_measured_last_tell_nothing_of_how_far_states_lie_apart() -> None:
    drawn = 0.01 * rng().normal(size=(24, 48, 2))
    known = noise_of(panel(drawn[:16])).state_sd
    drawn[16:, 1:] = np.nan
    drawn[16:, 0] = np.array([0.12, -0.12, 0.1, -0.08] * 2)[:, None]  # as one that is never decided
    assert noise_of(panel(drawn)).state_sd == pytest.approx(known, rel=0.02)


def test_states_are_read_from_the_dense_arms_which_a_change_of_the_moe_leaves_alone() -> None:
    drawn = changed(0.01 * rng().normal(size=SHAPE), effects(48, {(None, "moe"): 20.0}))
    assert np.abs(noise_of(panel(drawn)).state_LS).max() < 0.008


def test_launches_that_resemble_the_last_widen_every_error_about_as_theory_says() -> None:
    shape = (24, 48, 2)
    sticky = noise_of(panel(0.02 * FAMILIES["launches resemble the last by 0.8"](rng(), shape))).widening
    assert math.sqrt(1.8 / 0.2) * 0.8 < sticky < math.sqrt(1.9 / 0.1) * 1.01
    assert noise_of(panel(0.02 * rng().normal(size=shape))).widening == 1.0


def test_a_change_of_code_is_no_resemblance() -> None:
    drawn = changed(0.02 * rng().normal(size=SHAPE), effects(48, {(None, "moe"): 30.0, (3, "dense"): 50.0}))
    assert noise_of(panel(drawn)).widening == 1.0


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_robust_spread_is_the_sd_of_normal_values_and_more_where_one_in_ten_is_far_off(scale: float) -> None:
    values = scale * rng().normal(size=20_000)
    assert robust_spread(values) == pytest.approx(scale, rel=0.03)
    values[::10] += 5 * scale
    assert robust_spread(values) > 1.8 * scale


@pytest.mark.parametrize("num_values", [1, 2, 3, 8, 9])
def test_the_median_of_others_is_that_of_the_list_without_the_place(num_values: int) -> None:
    values = np.append(rng().integers(0, 4, num_values).astype(float), np.nan)
    found = median_of_others(values)
    for place in range(num_values):
        others = np.delete(values, [place, num_values])
        assert found[place] == (np.median(others) if len(others) else 0.0)
    assert found[num_values] == np.median(values[:num_values])
