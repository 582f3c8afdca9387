"""Suites drawn from recorded launches: other sizes of slowdown, and more suites than there is time to measure.

A drawn suite has a campaign's own launches of unchanged code, none twice, whole: what a launch did to all its
scenarios at once stays together. A slowdown multiplies head's time of its arm.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bench.harness.ab.decision import (
    PLACEBO_EVERY,
    STAGE_1_LAUNCHES,
    STAGE_2_LAUNCHES,
    STAGE_2_LOOK,
    cleared,
    decide,
    suspects,
)
from bench.harness.ab.types import PairedLaunch
from bench.harness.qualify.rates import Share
from bench.harness.qualify.suites import Campaign, LaunchRatios
from bench.harness.verdict import Verdict

NUM_SUITES = 200  # of each size: a share of 5 % is then known to 1.5 %
Launch = dict[str, LaunchRatios]  # scenario -> what was measured


class Drawn(NamedTuple):
    """What drawn suites of one size come to."""

    alarms: Share  # suites with any scenario REGRESSED
    found: Share  # scenarios REGRESSED
    certified: Share  # scenarios OK or IMPROVED


def pool(campaign: Campaign) -> list[Launch]:
    """Return the whole launches of unchanged code: first stages, placebos among them, for both sides are the same."""
    whole = []
    for suite in campaign.with_injected({}):
        by_number: dict[int, Launch] = {}
        counts: dict[str, int] = {}
        for launch in suite.stage_1:
            number = counts[launch.scenario] = counts.get(launch.scenario, -1) + 1
            by_number.setdefault(number, {})[launch.scenario] = launch
        whole += [launch for launch in by_number.values() if set(launch) == set(suite.verdicts)]
    return whole


def needed() -> int:
    """Return how many launches one drawn suite takes."""
    return sum(_with_placebos(count) for count in (STAGE_1_LAUNCHES, STAGE_2_LAUNCHES))


def draw_suites(
    launches: Sequence[Launch], injected: Mapping[str, float], rng: np.random.Generator, num_suites: int = NUM_SUITES
) -> Drawn:
    """Draw and judge suites.

    Args:
        launches: the pool, at least as many as `needed`.
        injected: arm of head -> factor of its time.
        rng: draws.
        num_suites: how many.

    Raises:
        ValueError: if the pool is too small.
    """
    if len(launches) < needed():
        raise ValueError(f"resampling needs {needed()} whole launches or more, got {len(launches)}; run more suites")
    suites = [_draw(launches, injected, rng) for _ in range(num_suites)]
    verdicts = [verdict for suite in suites for verdict in suite]
    return Drawn(
        alarms=Share(sum(Verdict.REGRESSED in suite for suite in suites), len(suites)),
        found=Share(sum(verdict is Verdict.REGRESSED for verdict in verdicts), len(verdicts)),
        certified=Share(sum(v in (Verdict.OK, Verdict.IMPROVED) for v in verdicts), len(verdicts)),
    )


def _draw(launches: Sequence[Launch], injected: Mapping[str, float], rng: np.random.Generator) -> list[Verdict]:
    order = [launches[index] for index in rng.permutation(len(launches))[: needed()]]
    first = _stage(order[: _with_placebos(STAGE_1_LAUNCHES)], injected, None)
    suspected = suspects(first)
    rest = order[_with_placebos(STAGE_1_LAUNCHES) :]
    look = _with_placebos(STAGE_2_LOOK)
    fresh = _stage(rest[:look], injected, suspected)
    done = cleared(fresh)
    fresh += _stage(rest[look:], injected, [name for name in suspected if name not in done])
    return [verdict.verdict for verdict in decide(first, fresh)]


def _stage(
    launches: Sequence[Launch], injected: Mapping[str, float], names: Sequence[str] | None
) -> list[PairedLaunch]:
    """Return launches of some scenarios (None: all), every PLACEBO_EVERY-th with base on both sides."""
    found = []
    for number, launch in enumerate(launches):
        is_placebo = number % PLACEBO_EVERY == PLACEBO_EVERY - 1
        factors = {} if is_placebo else injected
        for name in launch if names is None else names:
            arms = {arm: ratio + math.log(factors.get(arm, 1.0)) for arm, ratio in launch[name].arms.items()}
            found.append(LaunchRatios(scenario=name, is_placebo=is_placebo, arms=arms).launch())
    return found


def _with_placebos(num_real: int) -> int:
    """Return how many launches it takes to have so many real ones."""
    return num_real + (num_real - 1) // (PLACEBO_EVERY - 1)
