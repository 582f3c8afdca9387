"""How far launches of unchanged code lie apart: pooled over the suite, for no scenario has launches enough to tell.

L: launches, S: scenarios, A: arms. Every spread is a standard deviation of one launch's log ratio.
"""

import math
from dataclasses import dataclass

import numpy as np

from bench.gate.ab.panel import Flags, Floats, Panel, counts, mean_of, median_of
from bench.gate.ab.resemblance import widening
from bench.harness.arms import is_moe


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What launches spread by before any is measured, and how many launches that is worth."""

    spread: float = 0.02  # of one scenario and arm; measured 0.019 to 0.022, see docs/method.md
    spread_worth: float = 12.0
    state: float = 0.012  # of what a launch does to all its scenarios and arms alike
    state_worth: float = 4.0
    own_state: float = 0.006  # of what it does to one arm of a group, beyond that


MEASURED = Prior()
OWN_WORTH = 8.0  # launches of the suite's spread in that of a scenario, which can only be larger
TELLING = 0.5  # share of the scenarios that must be in a launch for it to tell how far states lie apart
EFFICIENCY = 0.5  # of a robust spread beside a standard deviation


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What is known of the noise."""

    median_L: Floats  # over all scenarios, as it is
    placebo: float  # mean of it over the placebos; 0 before any
    state_LS: Floats  # what each launch did to all scenarios alike, as the others tell it
    spread: float  # pooled, of values without the state
    spread_SA: Floats  # of each scenario and arm, never below the pooled one
    state_sd: float  # of the states
    widening: float  # factor on every error where launches resemble the one before


def noise_of(panel: Panel, prior: Prior = MEASURED) -> Noise:
    """Learn the noise of a suite from the launches so far."""
    own_S, left_LS = _apart(panel)
    state_L, count_L = _states(own_S, left_LS, panel.is_placebo_L)
    tells_L = count_L >= TELLING * count_L.max(initial=0)
    state_sd = _state_sd(state_L, tells_L, panel.is_placebo_L, prior)
    trust_L = state_sd**2 / (state_sd**2 + math.pi / 2 * prior.spread**2 / np.maximum(count_L, 1))
    state_LS = trust_L[:, None] * _states_by_others(own_S, left_LS, panel.is_placebo_L)
    values_LSA = panel.values_LSA - state_LS[:, :, None]
    real, placebo = values_LSA[~panel.is_placebo_L], values_LSA[panel.is_placebo_L]
    spread = _pooled(real, placebo, prior)
    return Noise(
        median_L=state_L,
        placebo=float(state_L[panel.is_placebo_L].mean()) if panel.is_placebo_L.any() else 0.0,
        state_LS=state_LS,
        spread=spread,
        spread_SA=_own(real, placebo, spread),
        state_sd=state_sd,
        widening=widening(real, placebo, spread),
    )


def robust_spread(values: Floats) -> float:
    """Return a standard deviation that single values cannot move, and that heavy tails or disturbed launches do.

    The larger of what the median and what the 95 % quantile of the absolute values say of a normal one.

    >>> round(robust_spread(np.array([-1.0, 0.5, 1.0, 2.0])), 3)
    1.483
    """
    return float(max(1.4826 * np.median(np.abs(values)), np.quantile(np.abs(values), 0.95) / 1.96))


def _centre_values(panel: Panel) -> Floats:
    """Return what states are read from: the dense arms, which a change of the MoE leaves alone; else all."""
    dense = [place for place, arm in enumerate(panel.arms) if not is_moe(arm)]
    return panel.values_LSA[:, :, dense] if dense else panel.values_LSA


def _apart(panel: Panel) -> tuple[Floats, Floats]:
    """Part what states are read from: each scenario's mean over its real launches, and what is left of each launch.

    A launch that holds other scenarios than the last is no other state for what changed in them.
    """
    values_LS = _mean_over_arms(_centre_values(panel))
    real_LS = values_LS[~panel.is_placebo_L]
    own_S = np.where(counts(real_LS) > 0, mean_of(real_LS), np.nan)
    return own_S, values_LS - np.where(panel.is_placebo_L[:, None], 0.0, own_S)


def _states(own_S: Floats, left_LS: Floats, is_placebo_L: Flags) -> tuple[Floats, Floats]:
    """Return each launch's median over scenarios, and over how many."""
    typical_L = np.where(is_placebo_L, 0.0, median_of(own_S))
    return median_of(left_LS) + typical_L, np.sum(~np.isnan(left_LS), axis=1).astype(float)


def _states_by_others(own_S: Floats, left_LS: Floats, is_placebo_L: Flags) -> Floats:
    """Return for each launch and scenario the median over the other scenarios; 0 where there is none."""
    typical_LS = np.where(is_placebo_L[:, None], 0.0, median_of_others(own_S))
    return np.array([median_of_others(left_S) for left_S in left_LS]) + typical_LS


def median_of_others(values: Floats) -> Floats:
    """Return for each place the median of what stands elsewhere, NaN left out; 0 where nothing does.

    >>> median_of_others(np.array([1.0, 5.0, 2.0])).tolist()
    [3.5, 1.5, 3.0]
    """
    is_known = ~np.isnan(values)
    ranked = np.sort(values[is_known])
    if len(ranked) < 2:
        return np.where(is_known, 0.0, ranked[0] if len(ranked) else 0.0)
    rank, others = np.searchsorted(ranked, values[is_known]), len(ranked) - 1
    found = np.full(len(values), np.median(ranked))
    low, high = (m + (m >= rank) for m in ((others - 1) // 2, others // 2))  # as the others' middle stands in all
    found[is_known] = (ranked[low] + ranked[high]) / 2
    return found


def _mean_over_arms(values_LSA: Floats) -> Floats:
    count = np.sum(~np.isnan(values_LSA), axis=2)
    return np.where(count > 0, np.nansum(values_LSA, axis=2) / np.maximum(count, 1), np.nan)


def _state_sd(state_L: Floats, tells_L: Flags, is_placebo_L: Flags, prior: Prior) -> float:
    """Return the spread of states within the real launches and within the placebos, shrunken to what is usual.

    The median of the few scenarios that are last to be decided, the noisiest, is theirs and no state of the launch.
    """
    parts = [state_L[chosen & tells_L] for chosen in (is_placebo_L, ~is_placebo_L) if (chosen & tells_L).any()]
    squares, degrees = sum(float(np.var(p)) * len(p) for p in parts), sum(len(p) - 1 for p in parts)
    return math.sqrt((prior.state_worth * prior.state**2 + squares) / (prior.state_worth + degrees))


def _pooled(real: Floats, placebo: Floats, prior: Prior) -> float:
    """Return the spread of all scenarios: of real launches around their own mean, of placebos around 0."""
    count_SA = counts(real)
    scaled = _residuals(real) * np.sqrt(count_SA / np.maximum(count_SA - 1, 1))
    residuals = np.concatenate([scaled[:, count_SA > 1].ravel(), placebo.ravel()])
    residuals = residuals[~np.isnan(residuals)]
    worth = EFFICIENCY * float(np.sum(np.maximum(count_SA - 1, 0)) + np.sum(~np.isnan(placebo)))
    own = worth * robust_spread(residuals) ** 2 if len(residuals) else 0.0
    return math.sqrt((prior.spread_worth * prior.spread**2 + own) / (prior.spread_worth + worth))


def _own(real: Floats, placebo: Floats, spread: float) -> Floats:
    """Return the spread of each scenario, drawn to the pooled one and never below it.

    Placebos count around 0: a process that is at times a sixth slower shows it there, or nowhere in three launches.
    """
    squares_SA = np.nansum(_residuals(real) ** 2, axis=0) + np.nansum(placebo**2, axis=0)
    degrees_SA = np.maximum(counts(real) - 1, 0) + counts(placebo)
    return np.asarray(np.maximum(spread, np.sqrt((OWN_WORTH * spread**2 + squares_SA) / (OWN_WORTH + degrees_SA))))


def _residuals(values_LSA: Floats) -> Floats:
    """Return the values around the mean of their scenario and arm."""
    return np.asarray(values_LSA - mean_of(values_LSA))
