"""What launches say of each scenario so far, at any look: how far head lies from base, and whether it became slower.

A claim needs an estimate beyond a boundary that holds over all looks, and launches beyond a guard against heavy tails;
the chance of a false one is spent over scenarios, groups and the suite together. L: launches, S: scenarios, A: arms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.gate.ab.boundary import boundary, guard, num_exceptions
from bench.gate.ab.group_evidence import LAUNCHES, GroupEvidence, group_evidence
from bench.gate.ab.noise import MEASURED, Noise, Prior, noise_of
from bench.gate.ab.panel import CLIP, Flags, Floats, Panel, counts, mean_of

SCENARIO_ERROR = 0.03  # of the 0.05 that a suite of unchanged code may be told that anything became slower
PRIOR, CONTRAST_PRIOR = 3.0, 1.0  # launches at which the boundary of a mean, and of a difference of two, is tightest
EARLY = math.log(1.25)  # what few launches must show: a process is at times a fifth slower for as long as it lives
MARGIN = math.log(1.01)  # what a slot may favour one scenario by, beyond what it does to all of them


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a suite after some launches."""

    estimate_SA: Floats  # NaN where nothing was measured
    half_width_SA: Floats  # of the two-sided 95 % interval, over all looks; infinite before base has met itself
    upper_SA: Floats  # one-sided 95 % limit, over all looks
    is_slower_SA: Flags
    num_launches_S: Sequence[int]
    groups: Sequence[GroupEvidence]
    noise: Noise


def weigh(panel: Panel, smallest_effect_S: Floats, prior: Prior = MEASURED) -> Evidence:
    """Weigh all launches so far.

    Args:
        panel: what was measured.
        smallest_effect_S: log ratio that a slowdown must exceed to be told.
        prior: what is known of this machine's noise.

    Returns:
        Estimates are less what base showed against itself: a launch's state is no change of the code.
    """
    noise = noise_of(panel, prior)
    alone_LSA = panel.values_LSA - noise.state_LS[:, :, None]
    count_SA = counts(alone_LSA[~panel.is_placebo_L])
    information_S = _information(panel)
    estimate_SA = np.where(count_SA > 0, mean_of(panel.values_LSA[~panel.is_placebo_L]) - noise.placebo, np.nan)

    def half_width(error: float) -> Floats:
        own_SA = boundary(count_SA, error, PRIOR) * noise.spread_SA * noise.widening
        shared_S = boundary(information_S, error, CONTRAST_PRIOR) * noise.state_sd
        return np.asarray(np.hypot(own_SA, shared_S[:, None]))

    error = SCENARIO_ERROR / max(1, int(np.sum(count_SA > 0)))
    alone = _slower(alone_LSA[~panel.is_placebo_L], noise, error)
    whole = _slower_as_a_whole(panel, noise, estimate_SA - half_width(error), error)
    return Evidence(
        estimate_SA=estimate_SA,
        half_width_SA=half_width(0.025),
        upper_SA=estimate_SA + half_width(0.05),
        is_slower_SA=(alone | whole) & (estimate_SA > smallest_effect_S[:, None]),
        num_launches_S=[int(count) for count in count_SA.max(axis=1)],
        groups=group_evidence(panel, alone_LSA, noise, prior),
        noise=noise,
    )


def _information(panel: Panel) -> Floats:
    """Return how many launches a scenario's distance from the placebos' state is worth."""
    n = counts(panel.values_LSA[~panel.is_placebo_L]).max(axis=1, initial=0.0)
    m = float(panel.is_placebo_L.sum())  # a state is the launch's, whichever scenarios tell it
    return np.asarray(n * m / np.maximum(n + m, 1))


def _slower(real_LSA: Floats, noise: Noise, error: float) -> Flags:
    """Tell which arms became slower beside all others in the same launches: without their states; EARLY after two."""
    count_SA, mean_SA = counts(real_LSA), mean_of(real_LSA)
    spread_SA = noise.spread_SA * noise.widening
    clipped_SA = mean_of(np.clip(real_LSA, mean_SA - CLIP * spread_SA, mean_SA + CLIP * spread_SA))
    lowest_SA = clipped_SA - boundary(count_SA, error, PRIOR) * spread_SA
    beyond_SA = _nearly_all_beyond(real_LSA, noise.spread * noise.widening, error)
    many_SA = (count_SA >= LAUNCHES) | ((count_SA > 1) & (mean_SA > EARLY))
    return np.asarray(many_SA & (lowest_SA > MARGIN) & beyond_SA)


def _slower_as_a_whole(panel: Panel, noise: Noise, lowest_SA: Floats, error: float) -> Flags:
    """Tell which arms became slower with their launches' states: where most of a suite changed, states hide it."""
    real_LSA = panel.values_LSA[~panel.is_placebo_L] - noise.placebo
    beyond_SA = _nearly_all_beyond(real_LSA, math.hypot(noise.spread, noise.state_sd) * noise.widening, error)
    return np.asarray((counts(real_LSA) >= LAUNCHES) & (lowest_SA > MARGIN) & beyond_SA)


def _nearly_all_beyond(real_LSA: Floats, spread: float, error: float) -> Flags:
    """Tell of which arms all launches, but for few exceptions, lie beyond the guard."""
    count_SA = counts(real_LSA)
    ranked_LSA = np.sort(real_LSA, axis=0)  # NaN last
    found = np.zeros(count_SA.shape, dtype=bool)
    for n in {int(count) for count in np.unique(count_SA) if count > 1}:
        found |= (count_SA == n) & (ranked_LSA[num_exceptions(n)] - MARGIN > guard(n, error) * spread)
    return found
