"""Steps of a series: where runs before and after differ, by a test that assumes no distribution of their noise."""

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

ERROR = 0.01  # chance of a step where there is none, of one series: a mark on a plot, and no verdict
FEWEST = 4  # runs on either side: fewer tell no step from one disturbed run


class Step(NamedTuple):
    """Where a series steps."""

    first: int  # index of the first run after it
    log_ratio: float  # medians of what lies after it, up to the next, over those before
    p_value: float  # by Pettitt's test of the part that it was found in


def find_steps(logs: Sequence[float]) -> list[Step]:
    """Return the steps of a series, from the first run: the clearest one, then those of the parts on both sides.

    Args:
        logs: of what is followed, one a run, all of the same work.

    >>> [step.first for step in find_steps([0.0, 0.01] * 8 + [0.3, 0.31] * 8)]
    [16]
    """
    cuts = _cuts(np.asarray(logs, dtype=np.float64), 0)
    edges = [0, *(index for index, _ in cuts), len(logs)]
    medians = [statistics.median(logs[start:end]) for start, end in itertools.pairwise(edges)] if logs else []
    return [Step(index, medians[i + 1] - medians[i], p) for i, (index, p) in enumerate(cuts)]


def _cuts(values: NDArray[np.float64], start: int) -> list[tuple[int, float]]:
    if len(values) < 2 * FEWEST:
        return []
    index, p_value = pettitt(values)
    if p_value > ERROR or not FEWEST <= index <= len(values) - FEWEST:
        return []
    return [*_cuts(values[:index], start), (start + index, p_value), *_cuts(values[index:], start + index)]


def pettitt(values: NDArray[np.float64]) -> tuple[int, float]:
    """Return the most likely place of one step, and how likely as clear a one is where there is none.

    Returns:
        The index of the first value after it, and the p-value, approximate for few values.

    Source: Pettitt 1979, A non-parametric approach to the change-point problem: K = max |U_t|, U_t the rank sum
    2 sum(ranks up to t) - t (n + 1), p = 2 exp(-6 K^2 / (n^3 + n^2)).
    """
    num = len(values)
    ranks = scipy.stats.rankdata(values)
    sums = np.abs(2 * np.cumsum(ranks) - np.arange(1, num + 1) * (num + 1))
    last = int(np.argmax(sums[:-1]))
    return last + 1, min(1.0, 2 * math.exp(-6 * float(sums[last]) ** 2 / (num**3 + num**2)))
