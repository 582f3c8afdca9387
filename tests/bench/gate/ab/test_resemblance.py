"""By how much errors grow where launches resemble the ones before, against series whose resemblance is known."""

import math

import numpy as np
import pytest

from bench.gate.ab.panel import Floats
from bench.gate.ab.resemblance import widening

SPREAD = 0.02


def series(rho: float, *, num_launches: int = 40, num_scenarios: int = 200) -> tuple[Floats, Floats]:
    """Return launches of an AR(1) series a scenario and arm, those before the last placebo's, and placebos of it."""
    rng = np.random.default_rng(0)
    found = rng.normal(size=(num_launches, num_scenarios, 2))
    for launch in range(1, num_launches):
        found[launch] = rho * found[launch - 1] + math.sqrt(1 - rho**2) * found[launch]
    return SPREAD * found[:20], SPREAD * found[20::4]


@pytest.mark.parametrize("rho", [0.3, 0.5, 0.8])
def test_errors_grow_as_those_of_the_mean_of_a_series_do(rho: float) -> None:
    assert widening(*series(rho), SPREAD) == pytest.approx(math.sqrt((1 + rho) / (1 - rho)), rel=0.1)


def test_two_launches_and_a_placebo_tell_it() -> None:
    real, placebo = series(0.8)
    assert widening(real[:2], placebo[:1], SPREAD) > 2


def test_independent_launches_widen_nothing() -> None:
    assert widening(*series(0.0), SPREAD) == 1.0


def test_a_change_of_code_and_what_a_launch_did_to_everything_are_no_resemblance() -> None:
    real, placebo = series(0.0)
    changes_S = np.linspace(-1, 1, real.shape[1])[None, :, None]
    assert widening(real + changes_S, placebo + 0.5, SPREAD) == 1.0


def test_a_disturbed_placebo_is_no_resemblance_where_another_lies_nearer() -> None:
    real, placebo = series(0.0)
    disturbed = placebo * np.where(np.arange(len(placebo)) == 0, 3.0, 1.0)[:, None, None]
    assert widening(real, disturbed[:1], SPREAD) > 1.5  # one alone cannot be told from it
    assert widening(real, disturbed, SPREAD) == 1.0


def test_base_that_lies_nowhere_from_itself_tells_nothing() -> None:
    real, placebo = series(0.0)
    assert widening(real, np.zeros_like(placebo), SPREAD) == 1.0
    assert widening(np.zeros_like(real), np.zeros_like(placebo), SPREAD) == 1.0


def test_few_values_tell_nothing() -> None:
    real, placebo = series(0.9)
    assert widening(real[:2, :9], placebo[:2, :9], SPREAD) == 1.0
    assert widening(real[:20, :2], placebo[:1, :2], SPREAD) == 1.0
    assert widening(real[:0], placebo[:0], SPREAD) == 1.0
