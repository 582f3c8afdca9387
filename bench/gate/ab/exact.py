"""Exact inference on a handful of launches: what their signs and ranks say, whatever the shape of the noise.

Base and head stand in for each other if nothing changed, so a launch's log ratio is as likely x as -x. Nothing else is
assumed: no normal distribution, no known spread.
"""

import functools
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.gate.stats import Interval, pair_means

Floats: TypeAlias = NDArray[np.float64]

CLIP = 1.5  # medians of absolute values; of 60 heavy-tailed suspects +5 % is found in 99.0 %, unclipped in 96.8 %
ROUNDING = 1e-12  # of the sum of absolute values: sums that differ by less are equal, added in another order


def sign_flip_p(values: Sequence[float]) -> float:
    """Return the one-sided p value of a centre above 0: the share of all 2**n sign patterns with as large a sum.

    Values beyond CLIP medians of the absolute values count as that much, so that one disturbed launch cannot drown the
    others. The cut does not depend on signs, which keeps the test exact.

    Every sum is one of the first half's values plus one of the second half's, so 2**(n / 2) numbers are sorted and
    searched instead of 2**n listed: 20 launches take a tenth of a millisecond.

    Args:
        values: log ratios, one a launch, at most 40.

    Returns:
        At least 2**-n: five launches cannot go below 0.031.

    Source: Fisher 1935, section 21; equal to scipy.stats.permutation_test(permutation_type="samples") with all
    resamples, alternative "greater" and the sum of the clipped values.

    >>> sign_flip_p([1.0, 2.0, 3.0])
    0.125
    """
    array = clipped(values)
    half = len(array) // 2
    left, right = _signed_sums(array[:half]), np.sort(_signed_sums(array[half:]))
    reached = array.sum() - ROUNDING * np.abs(array).sum()
    smaller = int(np.searchsorted(right, reached - left).sum())
    return 1.0 - smaller / float(2 ** len(array))


def clipped(values: Sequence[float]) -> Floats:
    """Return the values, none farther from 0 than CLIP medians of their absolute values.

    >>> clipped([1.0, -2.0, 9.0]).tolist()
    [1.0, -2.0, 3.0]
    """
    array = np.asarray(values, dtype=np.float64)
    cut = CLIP * np.median(np.abs(array))
    return np.clip(array, -cut, cut)


def _signed_sums(values: Floats) -> Floats:
    """Return the sums under all patterns of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values so that a threshold on them bounds the chance of any false alarm, however they depend.

    Args:
        p_values: of every hypothesis that was meant to be tested; 1 for those that could not be.

    Source: Holm 1979, a simple sequentially rejective multiple test procedure.

    >>> holm([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return [float(p) for p in adjusted]


def signed_rank_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the Hodges-Lehmann estimate of the centre with its exact two-sided limits.

    Args:
        values: at least one; where so few cannot give the confidence (below six for 95 %) the limits are infinite.
        confidence: in (0, 1).

    Source: Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, section 3.3: the limits are means of pairs,
    counted from either end by the quantile of the signed-rank statistic.
    """
    means = np.sort(pair_means(values))
    rank = _limit_rank(len(values), (1 - confidence) / 2)
    low, high = (-np.inf, np.inf) if rank is None else (means[rank], means[-1 - rank])
    return Interval(float(np.median(means)), float(low), float(high))


def upper_limit(values: Sequence[float], confidence: float = 0.95) -> float:
    """Return the one-sided limit that the centre lies below; infinite where the values are too few (below five)."""
    return signed_rank_interval(values, 2 * confidence - 1).high


@functools.cache
def _limit_rank(num_values: int, tail: float) -> int | None:
    """Return the largest r with P(signed-rank statistic <= r) <= tail; None if even 0 is likelier than that."""
    counts = np.ones(1)  # of the subsets of the ranks 1..k, by their sum
    for rank in range(1, num_values + 1):
        counts = np.pad(counts, (0, rank)) + np.pad(counts, (rank, 0))
    below = int(np.searchsorted(np.cumsum(counts) / 2**num_values, tail * (1 + ROUNDING), side="right"))
    return below - 1 if below else None
