"""Tests of placebo launches: what they reveal, and what must not set them off."""

import math
from collections.abc import Mapping

import pytest
from scipy import stats as scipy_stats

from bench.harness.ab.placebo import HARMLESS, placebo_shift, uneven
from bench.harness.ab.types import PairedLaunch

WOBBLE = (0.03, -0.03, 0.03, -0.03, 0.03, -0.03)  # of six launches, centred on 0; sum of squares 0.0054


def launches(logs: Mapping[str, tuple[float, ...]], *, is_placebo: bool, counted: bool = False) -> list[PairedLaunch]:
    return [
        PairedLaunch(
            scenario=name,
            arms={"moe": ([1.0], [math.exp(log)])},
            is_placebo=is_placebo,
            sign=1.0,
            counted=counted,
        )
        for name, values in logs.items()
        for log in values
    ]


def stage(shift: float, *, change: float = 0.0, wobble: tuple[float, ...] = WOBBLE) -> list[PairedLaunch]:
    """Return a stage of three scenarios: all placebos shifted, the real launches wobble together about a change."""
    real = {name: tuple(w + change for w in wobble) for name in "abc"}
    placebo = dict.fromkeys("abc", (shift, shift))
    return launches(real, is_placebo=False) + launches(placebo, is_placebo=True)


def test_band_is_students_error_of_the_mean_shift_by_hand() -> None:
    error = math.sqrt(0.0054 / 5) / math.sqrt(2)
    expected = scipy_stats.t.ppf(0.9995, 5) * error
    assert placebo_shift(stage(0.1)) == (pytest.approx(0.1), pytest.approx(expected))


def test_a_shift_within_the_band_is_even_and_beyond_it_not() -> None:
    band = placebo_shift(stage(0.0)).band
    assert uneven(stage(0.99 * band)) == ""
    assert "base against itself moved by" in uneven(stage(1.01 * band))
    assert "base against itself moved by -" in uneven(stage(-1.01 * band))


def test_changed_code_neither_moves_the_placebo_nor_widens_its_band() -> None:
    assert placebo_shift(stage(0.1, change=0.5)) == pytest.approx(placebo_shift(stage(0.1)))


def test_a_still_machine_is_allowed_a_harmless_shift() -> None:
    still = (0.0,) * 6
    assert placebo_shift(stage(0.0, wobble=still)).band == HARMLESS
    assert uneven(stage(0.9 * HARMLESS, wobble=still)) == ""


def test_one_scenario_alone_cannot_condemn_the_machine() -> None:
    real = launches(dict.fromkeys("abc", WOBBLE), is_placebo=False)
    placebo = launches({"a": (0.5, 0.5), "b": (0.0, 0.0), "c": (0.0, 0.0)}, is_placebo=True)
    assert uneven(real + placebo) == ""


def test_either_stage_can_tell() -> None:
    assert uneven(stage(0.0), stage(0.5)) == uneven(stage(0.5), stage(0.0)) != ""


def test_without_placebos_or_a_spread_nothing_is_said() -> None:
    assert uneven([]) == ""
    assert uneven(launches({"a": WOBBLE}, is_placebo=False)) == ""
    assert uneven(stage(0.5, wobble=(0.0,))) == ""


def test_counted_values_are_no_placebo() -> None:
    counted = launches({"m": (0.5, 0.5)}, is_placebo=True, counted=True)
    assert placebo_shift(stage(0.0) + counted).estimate == 0.0
