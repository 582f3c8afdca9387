"""Suites drawn from recorded launches: other sizes of slowdown, and more suites than there is time to measure.

A drawn suite has measured launches of unchanged code, none twice, whole: what a launch did to all its
scenarios at once stays together. A slowdown multiplies head's time of its arm.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.verdicts import (
    PLACEBO_EVERY,
    STAGE_1_LAUNCHES,
    STAGE_2_LAUNCHES,
    STAGE_2_LOOK,
    cleared,
    decide,
    is_placebo,
    suspects,
)
from bench.gate.qualify.rates import Share
from bench.gate.qualify.suites import LaunchRatios, Qualification
from bench.gate.verdict import Verdict

NUM_SUITES = 200  # of each size: a share of 5 % is then known to 1.5 %
WholeLaunch = dict[str, LaunchRatios]  # scenario -> what was measured


class Drawn(NamedTuple):
    """What drawn suites of one size come to."""

    alarms: Share  # suites with any scenario REGRESSED
    found: Share  # scenarios REGRESSED
    certified: Share  # scenarios OK or IMPROVED


def pool(qualification: Qualification) -> list[WholeLaunch]:
    """Return the whole launches of unchanged code: first stages, placebos among them, for both sides are the same."""
    whole = []
    for suite in qualification.with_injected({}):
        by_number: dict[int, WholeLaunch] = {}
        counts: dict[str, int] = {}
        for launch in suite.stage_1:
            number = counts[launch.scenario] = counts.get(launch.scenario, -1) + 1
            by_number.setdefault(number, {})[launch.scenario] = launch
        whole += [launch for launch in by_number.values() if set(launch) == set(suite.verdicts)]
    return whole


def needed() -> int:
    """Return how many launches one drawn suite takes."""
    stages = (STAGE_1_LAUNCHES, STAGE_2_LOOK, STAGE_2_LAUNCHES - STAGE_2_LOOK)
    return sum(map(_with_placebos, stages))


def draw_suites(
    launches: Sequence[WholeLaunch],
    injected: Mapping[str, float],
    rng: np.random.Generator,
    num_suites: int = NUM_SUITES,
) -> Drawn:
    """Draw suites from a pool of launches, their arms of head slowed by factors, and judge them.

    Raises:
        ValueError: if the pool is smaller than `needed`.
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


class TwoStages(NamedTuple):
    """All launches of one suite."""

    first: list[PairedLaunch]
    fresh: list[PairedLaunch]  # of the suspects


def two_stages(measure: Callable[[int, Collection[str]], list[PairedLaunch]], names: Collection[str]) -> TwoStages:
    """Go through both stages as `ab` does where no budget binds it.

    Args:
        measure: returns so many real launches of scenarios, with the placebos that go with them.
        names: of all scenarios.
    """
    first = measure(STAGE_1_LAUNCHES, names)
    suspected = suspects(first)
    fresh = measure(STAGE_2_LOOK, suspected)
    done = cleared(fresh)
    remaining = [name for name in suspected if name not in done]
    return TwoStages(first, fresh + measure(STAGE_2_LAUNCHES - STAGE_2_LOOK, remaining))


def _draw(launches: Sequence[WholeLaunch], injected: Mapping[str, float], rng: np.random.Generator) -> list[Verdict]:
    order = (launches[index] for index in rng.permutation(len(launches)))

    def measure(num_real: int, names: Collection[str]) -> list[PairedLaunch]:
        return _stage(list(islice(order, _with_placebos(num_real))), injected, names)

    return [verdict.verdict for verdict in decide(*two_stages(measure, list(launches[0])))]


def _stage(
    launches: Sequence[WholeLaunch], injected: Mapping[str, float], names: Collection[str]
) -> list[PairedLaunch]:
    """Return launches of some scenarios, every PLACEBO_EVERY-th with base on both sides."""
    found = []
    for number, launch in enumerate(launches):
        placebo = is_placebo(number)
        factors = {} if placebo else injected
        for name in names:
            arms = {arm: ratio + math.log(factors.get(arm, 1.0)) for arm, ratio in launch[name].arms.items()}
            found.append(LaunchRatios(scenario=name, is_placebo=placebo, arms=arms).launch())
    return found


def _with_placebos(num_real: int) -> int:
    """Return how many launches it takes to have so many real ones."""
    return num_real + (num_real - 1) // (PLACEBO_EVERY - 1)
