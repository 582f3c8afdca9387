"""Where another launch falls: one interval over launches and their blocks together.

Blocks of one launch share whatever that process met, so their spread alone says too little: on one machine the same
scenario lay 13 % apart in two launches, with intervals of 4 %.
"""

import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np
import scipy

from bench.gate.stats import PRIOR_LAUNCHES, Interval, centre_variances, typical_variance

Blocks = Sequence[float]  # log ratios of one launch, one a block


def another_launch(launches: Sequence[Blocks], typical: float = math.nan, confidence: float = 0.95) -> Interval:
    """Return the mean of some launches with the limits between which another launch of the same code falls.

    A launch's number is the median of its blocks. The spread of these numbers holds what differs between launches and
    what the blocks leave open; where launches agree better than their own blocks allow, the blocks' variance stands in.
    Of two launches or one the spread is hardly known: that of a typical scenario counts as PRIOR_LAUNCHES more. Without
    one, a single launch has its blocks alone, which says nothing of other launches.

    Args:
        launches: One or more.
        typical: Variance between the launches of a typical scenario, of `typical_spread`; NaN: not known.

    Source: Student's prediction interval of one more value; the posterior mean of a variance, Smyth 2004, section 3.

    >>> another_launch([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]).estimate
    1.0
    """
    centres = [statistics.median(blocks) for blocks in launches]
    within = float(np.mean([centre_variances(np.array([blocks]))[0] for blocks in launches]))
    mean, degrees = statistics.fmean(centres), float(len(centres) - 1)
    between = sum((centre - mean) ** 2 for centre in centres)
    if not math.isnan(typical):
        between, degrees = between + PRIOR_LAUNCHES * typical, degrees + PRIOR_LAUNCHES
    if not degrees:
        degrees, between = float(len(launches[0]) - 1), within * (len(launches[0]) - 1)
    if not degrees:
        return Interval(mean, -math.inf, math.inf)
    variance = max(between / degrees, within) * (1 + 1 / len(centres))
    half = float(scipy.stats.t.ppf((1 + confidence) / 2, degrees)) * math.sqrt(variance)
    return Interval(mean, mean - half, mean + half)


def typical_spread(scenarios: Iterable[Sequence[Blocks]]) -> float:
    """Return the variance between the launches of a typical scenario; NaN where none has two launches."""
    return typical_variance([[statistics.median(blocks) for blocks in launches] for launches in scenarios])


def covered(scenarios: Sequence[Sequence[Blocks]], num_launches: int = 3) -> tuple[int, int]:
    """Count how many further launches fall into the interval of the first few.

    Args:
        scenarios: Launches of each, in the order of time; those of no more than `num_launches` tell nothing.
        num_launches: That an interval is made of.

    Returns:
        Launches that fell inside, and launches that were asked.
    """
    told = [launches for launches in scenarios if len(launches) > num_launches]
    typical = typical_spread(launches[:num_launches] for launches in scenarios)
    inside = []
    for launches in told:
        found = another_launch(launches[:num_launches], typical)
        inside += [found.low <= statistics.median(later) <= found.high for later in launches[num_launches:]]
    return sum(inside), len(inside)
