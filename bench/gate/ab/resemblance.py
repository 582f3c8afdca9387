"""Whether launches resemble the ones before, scenario by scenario: then a mean of them is sure of less than it looks.

What tells it soonest is the placebos: base against itself lies as far from nothing as the noise throws it, while
launches that resemble each other step by less than that from one to the next.
"""

import math

import numpy as np

from bench.gate.ab.panel import CLIP, Floats, median_of

FEWEST_STEPS, FEWEST_PLACEBOS = 20, 10  # values; fewer do not tell a resemblance
LARGEST = 0.9
ERRORS = 2.0  # standard errors that it must lie from none


def widening(real_LSA: Floats, placebo_LSA: Floats, spread: float) -> float:
    """Return by how much errors of a mean grow, 1 where launches do not resemble each other.

    Args:
        real_LSA: log ratios without their launches' states, in the order of measurement; NaN where not measured.
        placebo_LSA: the same of base against itself.
        spread: standard deviation of one launch.

    Source: the variance of a mean of an AR(1) series is (1 + rho) / (1 - rho) times that of independent values.
    """
    rho = _resemblance(real_LSA, placebo_LSA, spread)
    return math.sqrt((1 + rho) / (1 - rho))


def _resemblance(real_LSA: Floats, placebo_LSA: Floats, spread: float) -> float:
    """Return rho at the upper end of its error, 0 where it may be none.

    A step of an AR(1) series has the variance 2 (1 - rho) of a value's; squares of steps that share a launch are
    correlated by a quarter. What a launch did to everything alike is no resemblance of scenarios, nor is a placebo that
    was disturbed as a whole: all of them must lie far from nothing.
    """
    steps = _centred(np.diff(real_LSA, axis=0))
    placebos = [values for one in placebo_LSA if len(values := _centred(one[None])) >= FEWEST_PLACEBOS]
    if len(steps) < FEWEST_STEPS or not placebos:
        return 0.0
    half_step = _square(steps / math.sqrt(2), CLIP * spread)
    if any(half_step >= _square(one, CLIP * spread) * math.exp(-ERRORS * _error(steps, one)) for one in placebos):
        return 0.0
    value = np.concatenate(placebos)
    return min(LARGEST, 1 - half_step / _square(value, CLIP * spread) * math.exp(-_error(steps, value)))


def _error(steps: Floats, values: Floats) -> float:
    """Return the standard error of the logarithm of their squares' ratio."""
    return math.sqrt(3 / len(steps) + 2 / len(values))


def _centred(values_LSA: Floats) -> Floats:
    """Return what is known, less its launch's median."""
    values_LX = values_LSA.reshape(len(values_LSA), math.prod(values_LSA.shape[1:]))
    left_LX = values_LX - median_of(values_LX)[:, None]
    return np.asarray(left_LX[~np.isnan(left_LX)])


def _square(values: Floats, limit: float) -> float:
    return float(np.mean(np.clip(values, -limit, limit) ** 2))
