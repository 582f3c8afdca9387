"""What launches say of a benchmark at a scale, and of the suite: a change of 2 % that no scenario is sure of alone.

The mean over a group's scenarios spreads far less than one of them. It is judged twice: alone, less what a launch did
to everything, which sees a change of one arm; and as it is, which sees a change of what all arms share. Either is set
against the placebos, in which base stood in both slots. L: launches, S: scenarios, A: arms.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bench.gate.ab.boundary import boundary, guard, num_exceptions
from bench.gate.ab.noise import Noise, Prior
from bench.gate.ab.panel import CLIP, Flags, Floats, Panel, mean_of, median_of
from bench.gate.groups import SUITE, grouped
from bench.gate.stats import Interval

LEVEL_ERROR = 0.01  # of the suite, and of all groups together: a fifth each of what a suite may err
LAUNCHES = 4  # at least: what disturbs one arm throughout a launch disturbs all scenarios of a group alike
EFFECT = math.log(1.01)  # a mean is sure of less than anybody cares for
PRIOR = 1.0  # launches at which the boundary is tightest
STATE_WORTH = 2.0  # launches of an arm that the prior of a group's own state is worth
OWN_WORTH = 8.0  # launches of the pooled state in that of one arm of one group, which can only be larger


class GroupEvidence(NamedTuple):
    """One arm of one group."""

    group: str
    arm: str
    interval: Interval  # of the arm as it is, 95 %, over all looks
    num_launches: int
    is_slower: bool


class Contrast(NamedTuple):
    """How far a group's real launches lie from its placebos."""

    estimate: float
    information: float  # launches that it is worth
    unit: float  # standard deviation of one launch
    num_launches: int
    least: float  # what nearly all real launches lie above the placebos by

    def half_width(self, error: float) -> float:
        """Return the distance beyond which it is never thrown, on one side, but with this chance."""
        return self.unit * float(boundary(self.information, error, PRIOR))

    def is_slower(self, error: float) -> bool:
        """Tell whether it claims a slowdown."""
        return (
            self.num_launches >= LAUNCHES
            and self.estimate > max(EFFECT, self.half_width(error))
            and self.least > self.unit * guard(self.num_launches, error)
        )


class Means(NamedTuple):
    """A group's mean over its scenarios in each launch, of one arm."""

    mean_L: Floats
    count_L: Floats  # scenarios measured
    is_placebo_L: Flags


def group_evidence(panel: Panel, alone_LSA: Floats, noise: Noise, prior: Prior) -> list[GroupEvidence]:
    """Judge each arm of each group, the suite last."""
    members = grouped(dict(zip(panel.scenarios, panel.group_of_S, strict=True)))
    found: list[GroupEvidence] = []
    for level in ([name for name in members if name != SUITE], [SUITE] if SUITE in members else []):
        places = {name: [panel.scenarios.index(one) for one in members[name]] for name in level}
        error = LEVEL_ERROR / (2 * len(panel.arms) * max(1, len(level)))
        whole = _contrasts(panel, panel.values_LSA - noise.placebo, places, noise, prior.state)
        alone = _contrasts(panel, alone_LSA, places, noise, prior.own_state)
        for key, contrast in whole.items():
            half = contrast.half_width(0.025)
            found.append(
                GroupEvidence(
                    *key,
                    interval=Interval(contrast.estimate, contrast.estimate - half, contrast.estimate + half),
                    num_launches=contrast.num_launches,
                    # what is slower only beside the other arms, which became faster, is not slower
                    is_slower=contrast.estimate > EFFECT
                    and any(one.is_slower(error) for one in (contrast, alone[key])),
                )
            )
    return found


def _contrasts(
    panel: Panel, values_LSA: Floats, places: Mapping[str, Sequence[int]], noise: Noise, usual_state: float
) -> dict[tuple[str, str], Contrast]:
    """Set real launches against placebos, group by group and arm by arm; arms that a group lacks are left out."""
    means = {
        (group, arm): found
        for group, chosen in places.items()
        for a, arm in enumerate(panel.arms)
        if (found := _means(values_LSA[:, chosen, a], noise.spread, panel.is_placebo_L)) is not None
    }
    state = _state_sd(list(means.values()), noise.spread, usual_state)
    own = {key: _own_state(one, noise.spread, state) for key, one in means.items()}
    return {key: _contrast(one, noise.spread, own[key], noise.widening) for key, one in means.items()}


def _means(values_LS: Floats, spread: float, is_placebo_L: Flags) -> Means | None:
    """Average over the scenarios of each launch, single ones clipped; nothing before both kinds are measured."""
    count_L = np.sum(~np.isnan(values_LS), axis=1)
    kept = count_L > 0
    if not (kept & is_placebo_L).any() or not (kept & ~is_placebo_L).any():
        return None
    values_LS, placebo_L = values_LS[kept], is_placebo_L[kept]
    real_LS = values_LS[~placebo_L]
    own_S = mean_of(real_LS)
    level = _clipped(own_S[None, ~np.all(np.isnan(real_LS), axis=0)], spread).mean()
    # each scenario's own change apart: launches do not hold the same ones
    left_LS = values_LS - np.where(placebo_L[:, None], 0.0, own_S)
    mean_L = np.nanmean(_clipped(left_LS, spread), axis=1)
    return Means(mean_L + np.where(placebo_L, 0.0, level), count_L[kept].astype(float), placebo_L)


def _clipped(values_LS: Floats, spread: float) -> Floats:
    """Return the values, none farther from their launch's median than CLIP spreads; what is NaN stays."""
    centre_L = median_of(values_LS)[:, None]
    return np.asarray(np.clip(values_LS, centre_L - CLIP * spread, centre_L + CLIP * spread))


def _state_sd(means: Sequence[Means], spread: float, usual: float) -> float:
    """Return what launches do to a group beyond what its scenarios' own noise explains, pooled over groups and arms."""
    if not means:
        return usual
    excess = degrees = 0.0
    for mean_L, count_L, is_placebo_L in means:
        for chosen in (is_placebo_L, ~is_placebo_L):
            residuals = mean_L[chosen] - mean_L[chosen].mean()
            degrees += len(residuals) - 1
            excess += float(residuals @ residuals) - (len(residuals) - 1) * spread**2 * float(np.mean(1 / count_L))
    worth = STATE_WORTH * len(means)
    return math.sqrt(max(usual**2 / 4, (worth * usual**2 + excess) / (worth + degrees)))


def _own_state(means: Means, spread: float, state: float) -> float:
    """Return what launches do to one arm of one group, drawn to the pooled one and never below it.

    Placebos count around 0, where an arm lies that nothing favours: three that agree on a sixth are no better known.
    """
    mean_L, count_L, is_placebo_L = means
    real = mean_L[~is_placebo_L]
    squares = float(np.sum((real - real.mean()) ** 2) + np.sum(mean_L[is_placebo_L] ** 2))
    degrees = len(mean_L) - 1
    excess = squares - degrees * spread**2 * float(np.mean(1 / count_L))
    return math.sqrt(max(state**2, (OWN_WORTH * state**2 + excess) / (OWN_WORTH + degrees)))


def _contrast(means: Means, spread: float, state: float, widening: float) -> Contrast:
    """Weigh launches by how many scenarios they hold."""
    mean_L, count_L, is_placebo_L = means
    estimate = variance = 0.0
    for sign, chosen in ((1, ~is_placebo_L), (-1, is_placebo_L)):
        weight = count_L[chosen] / count_L[chosen].sum()
        estimate += sign * float(weight @ mean_L[chosen])
        variance += float(weight**2 @ (state**2 + spread**2 / count_L[chosen]))
    unit = math.sqrt(state**2 + spread**2 / float(count_L.max()))
    real, placebo = np.sort(mean_L[~is_placebo_L]), np.sort(mean_L[is_placebo_L])
    least = real[num_exceptions(len(real))] - placebo[-1 - num_exceptions(len(placebo))]
    return Contrast(estimate, unit**2 / variance, unit * widening, len(real), float(least))
