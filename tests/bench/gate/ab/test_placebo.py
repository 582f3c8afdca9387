"""Tests of placebo launches: what they reveal, and what must not set them off."""

import math
from collections.abc import Mapping

import pytest
from scipy import stats as scipy_stats

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.placebo import HARMLESS, placebo_shift, stands, uneven
from bench.gate.ab.tolerances import Limits
from bench.gate.stats import Interval
from bench.gate.verdict import Change, Control, Verdict

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
    assert uneven(stage(0.99 * band)) is None
    for shift in (1.01 * band, -1.01 * band):
        assert uneven(stage(shift)) == (pytest.approx(shift), pytest.approx(band))


def test_changed_code_neither_moves_the_placebo_nor_widens_its_band() -> None:
    assert placebo_shift(stage(0.1, change=0.5)) == pytest.approx(placebo_shift(stage(0.1)))


def test_a_still_machine_is_allowed_a_harmless_shift() -> None:
    still = (0.0,) * 6
    assert placebo_shift(stage(0.0, wobble=still)).band == HARMLESS
    assert uneven(stage(0.9 * HARMLESS, wobble=still)) is None


def test_one_scenario_alone_cannot_condemn_the_machine() -> None:
    real = launches(dict.fromkeys("abc", WOBBLE), is_placebo=False)
    placebo = launches({"a": (0.5, 0.5), "b": (0.0, 0.0), "c": (0.0, 0.0)}, is_placebo=True)
    assert uneven(real + placebo) is None


def test_either_stage_can_tell() -> None:
    assert uneven(stage(0.0), stage(0.5)) == uneven(stage(0.5), stage(0.3)) == placebo_shift(stage(0.5))


def test_without_placebos_or_a_spread_nothing_is_said() -> None:
    assert uneven([]) is None
    assert uneven(launches({"a": WOBBLE}, is_placebo=False)) is None
    assert uneven(stage(0.5, wobble=(0.0,))) is None


def test_counted_values_are_no_placebo() -> None:
    counted = launches({"m": (0.5, 0.5)}, is_placebo=True, counted=True)
    assert placebo_shift(stage(0.0) + counted).estimate == 0.0


@pytest.mark.parametrize(
    ("verdict", "interval", "shift", "holds"),
    [
        (Verdict.REGRESSED, (0.05, 0.03, 0.07), 0.02, True),
        (Verdict.REGRESSED, (0.05, 0.03, 0.07), 0.031, False),  # 0 is no longer excluded
        (Verdict.REGRESSED, (0.05, 0.04, 0.06), 0.035, False),  # what is left is below the smallest effect
        (Verdict.REGRESSED, (0.05, 0.03, 0.07), -0.5, True),
        (Verdict.IMPROVED, (-0.05, -0.07, -0.03), -0.02, False),
        (Verdict.IMPROVED, (-0.05, -0.07, -0.03), 0.5, True),
        (Verdict.OK, (0.0, -0.02, 0.02), -0.02, True),
        (Verdict.OK, (0.0, -0.02, 0.02), -0.04, False),  # a slowdown of 6 % may hide
        (Verdict.OK, (0.0, -0.02, 0.02), 0.5, True),
        (Verdict.INCONCLUSIVE, (0.0, -0.5, 0.5), 0.5, True),
    ],
)
def test_a_verdict_stands_if_it_holds_without_the_shift(
    verdict: Verdict, interval: tuple[float, float, float], shift: float, holds: bool
) -> None:
    found = Change(
        control=Control(arm="moe", against="base"),
        interval=Interval(*interval),
        tolerance=0.02,
        verdict=verdict,
        suspect=False,
    )
    assert stands(found, shift, Limits()) is holds
