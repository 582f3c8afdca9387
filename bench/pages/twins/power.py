"""What the seeds of a setting could tell apart, and what more of them would: power by the spread that they have."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from bench.contrasts import graded_of
from bench.pages.twins.documents import Setting
from bench.power import Plan, Spread, excluded, measured_spread, seen

PLANNED_SEEDS, PLANNED_PICTURES = 10, 600  # what a training for accuracy is to have


@dataclass(frozen=True, kw_only=True)
class Power:
    """Differences in accuracy, shares, that two variants of a setting are told apart by in four cases of five."""

    setting: str
    num_seeds: int  # that most variants have
    num_pairs: int  # of variants with several seeds, which are judged together
    spread: Mapping[str, float]  # fields of `Spread`
    is_bound: bool  # pictures are not told, so that nothing smaller can be seen
    seen: float  # by one comparison alone
    seen_together: float  # by the hardest of all
    planned: float  # seen by one comparison of PLANNED_SEEDS and PLANNED_PICTURES
    planned_together: float
    planned_excluded: float  # bound of a difference, where there is none
    hours: float  # of PLANNED_SEEDS of each variant, by the minutes of those that were trained


def power_of(setting: Setting) -> Power | None:
    """Return what a setting's seeds could tell apart; None where less than two variants have several that differ."""
    several = [twins for twins in setting.variants.values() if len(twins) > 1]
    graded = [found for twins in several if (found := graded_of(twins))]
    measured = measured_spread(graded) if len(graded) == len(several) else None
    spread = measured or _of_seeds([[twin["accuracy"]["all"]["estimate"] for twin in twins] for twins in several])
    if len(several) < 2 or spread is None:
        return None
    num_pairs = math.comb(len(several), 2)
    num_pictures = len(graded[0].counts_P) if measured else PLANNED_PICTURES
    now = Plan(spread=spread, num_seeds=statistics.mode(map(len, several)), num_pictures=num_pictures)
    planned = Plan(spread=spread, num_seeds=PLANNED_SEEDS, num_pictures=PLANNED_PICTURES)
    return Power(
        setting=setting.name,
        num_seeds=now.num_seeds,
        num_pairs=num_pairs,
        spread=asdict(spread),
        is_bound=measured is None,
        seen=seen(now),
        seen_together=seen(now, comparisons=num_pairs),
        planned=seen(planned),
        planned_together=seen(planned, comparisons=num_pairs),
        planned_excluded=excluded(planned),
        hours=PLANNED_SEEDS * sum(statistics.fmean(twin["cpu_s"] for twin in twins) for twins in several) / 3600,
    )


def _of_seeds(accuracies: list[list[float]]) -> Spread | None:
    """Return the spread of seeds alone, pooled over variants."""
    variances = [np.var(of_variant, ddof=1) for of_variant in accuracies]
    seeds = math.sqrt(float(np.mean(variances))) if variances else 0.0
    return Spread(seeds=seeds, pictures=0.0, within=0.0, between=0.0) if seeds else None
