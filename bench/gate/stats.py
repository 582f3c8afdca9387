"""Pure statistics on samples: intervals of a launch, the spread between launches, the change against a baseline.

Everything is in natural logarithms of ratios: a slowdown of 5 % is log(1.05), and a ratio and its inverse are equally
far from 0. The replicate is the launch (one process): blocks of one launch share whatever that process met, so only
launches tell how far two measurements of the same code lie apart.
"""

import functools
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

# Weight of the typical variance against a scenario's own, as degrees of freedom. Smyth's estimate is 1.8 to 3.5 in six
# baselines of eight launches: scenarios differ, from 1 to 10 %, by more than eight launches are uncertain.
PRIOR_LAUNCHES = 3.0
PAIRS_AT_ONCE = 1_000_000  # whose means are held together: some megabytes

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate with its confidence limits."""

    estimate: float
    low: float
    high: float

    @property
    def is_bounded(self) -> bool:
        """Say whether anything is known of how far the estimate may be off."""
        return not math.isinf(self.low)

    def text(self, form: str, unit: str = "") -> str:
        """Write the interval as tables do; of one without bounds the estimate alone.

        >>> Interval(2.0, 1.5, 2.667).text(".2f", "x"), Interval(0.5, -math.inf, math.inf).text("+.1f", " %")
        ('2.00x [1.50, 2.67]', '+0.5 %')
        """
        said = f"{self.estimate:{form}}{unit}"
        return f"{said} [{self.low:{form}}, {self.high:{form}}]" if self.is_bounded else said


def block_log_ratios(numerator: Sequence[float], denominator: Sequence[float]) -> list[float]:
    """Return log(numerator / denominator) of each block, one sample a block.

    >>> block_log_ratios([2.0, 3.0], [2.0, 3.0])
    [0.0, 0.0]
    """
    return [math.log(a / b) for a, b in zip(numerator, denominator, strict=True)]


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the median with an interval from order statistics, which assumes nothing about the distribution.

    Below six values no interval of 95 % exists, and the whole range is returned.

    Source: the number of values below the median is binomial(n, 1/2); David & Nagaraja, Order Statistics, section 7.1.

    >>> median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    Interval(estimate=4.0, low=1.0, high=7.0)
    """
    ordered = sorted(map(float, values))
    rank = _lower_rank(len(ordered), confidence)
    return Interval(statistics.median(ordered), ordered[rank], ordered[~rank])


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean with Student's interval; of a single value it is without bounds.

    >>> mean_interval([1.0])
    Interval(estimate=1.0, low=-inf, high=inf)
    """
    mean = float(np.mean(values))
    if len(values) == 1:
        return Interval(mean, -math.inf, math.inf)
    half = float(scipy.stats.t.ppf((1 + confidence) / 2, len(values) - 1) * scipy.stats.sem(values))
    return Interval(mean, mean - half, mean + half)


@functools.cache  # one distribution is asked for thousands of launches of the same length
def _lower_rank(num_values: int, confidence: float) -> int:
    """Return the index of the sorted value that is the lower limit of the median's interval."""
    quantile = int(scipy.stats.binom.ppf((1 - confidence) / 2, num_values, 0.5))
    return min(max(quantile - 1, 0), (num_values - 1) // 2)


def pseudo_median(values: Sequence[float]) -> float:
    """Return the Hodges-Lehmann estimate of the centre: the median of the means of all pairs, a value's own included.

    It shrugs off a few disturbed blocks as a median does, and makes more of few: over ten launches on a shared machine
    it spread by 5.3 % where the median spread by 5.9 %, in the worst scenario by 12.7 % where the median did by 20.2 %.

    >>> pseudo_median([1.0, 2.0, 6.0])
    2.75
    """
    if len(values) == 1:
        return float(values[0])  # what is counted has a single block
    return float(pseudo_medians(np.asarray(values, dtype=np.float64)[None])[0])


def pseudo_medians(rows: Floats) -> Floats:
    """Return the `pseudo_median` of each row, (rows,) of (rows, values); NaN of rows without values."""
    if not (num_values := rows.shape[1]):
        return np.full(len(rows), math.nan)
    step = max(1, PAIRS_AT_ONCE // len(_pairs(num_values)[0]))
    parts = (rows[start : start + step] for start in range(0, len(rows), step))
    return np.concatenate([np.median(pair_means(part), axis=-1) for part in parts])


def pair_means(values: ArrayLike) -> Floats:
    """Return the means of all pairs, a value's own included: n (n + 1) / 2 of them, known as Walsh averages.

    Args:
        values: n of them, or rows of n, (..., n).

    >>> pair_means([1.0, 2.0]).tolist()
    [1.0, 1.5, 2.0]
    """
    array = np.asarray(values, dtype=np.float64)
    first, second = _pairs(array.shape[-1])
    return (array[..., first] + array[..., second]) / 2


@functools.lru_cache(maxsize=32)  # the same few lengths come back thousands of times
def _pairs(num_values: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(num_values)


def centre_variances(rows: Floats) -> Floats:
    """Return the variance of each launch's centre as its own blocks tell it, from their median absolute deviation.

    Args:
        rows: blocks of launches, (launches, blocks).

    Returns:
        Of a single block 0, as of what is counted: it tells no spread; NaN of launches without blocks. (launches,)

    Source: 1.4826 MAD estimates a normal sd; the variance of a median is pi / 2 times that of a mean.

    >>> centre_variances(np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])).round(3).tolist()
    [0.0, 1.151]
    """
    if not rows.shape[1]:
        return np.full(len(rows), math.nan)
    deviations = np.abs(rows - np.median(rows, axis=1, keepdims=True))
    sd = 1.4826 * np.median(deviations, axis=1)
    variances: Floats = math.pi / 2 * sd**2 / rows.shape[1]
    return variances


def typical_variance(groups: Iterable[Sequence[float]]) -> float:
    """Return the variance within a typical group, towards which those of single groups are drawn.

    The median over groups, so that a few restless ones do not speak for all; groups of one value carry none.

    Source: variances that scatter around a typical one, with PRIOR_LAUNCHES as the prior's degrees of freedom, are that
    one times an F-distributed number; Smyth 2004, section 3.

    >>> found = typical_variance([[0.0, 2.0], [1.0, 3.0], [5.0, 5.0], [1.0]])
    >>> round(float(found / 2.0 * scipy.stats.f.median(1, 3)), 9)
    1.0
    """
    spread = [g for g in groups if len(g) > 1]
    if not spread:
        return math.nan
    degrees = float(np.median([len(g) - 1 for g in spread]))
    median = float(np.median([np.var(g, ddof=1) for g in spread]))
    return median / float(scipy.stats.f.median(degrees, PRIOR_LAUNCHES))


def shrunken_sd(values: Sequence[float], typical: float) -> float:
    """Return a scenario's launch standard deviation, drawn towards the typical one of all scenarios of its kind.

    Eight launches alone estimate a spread only to a factor of two; the typical variance counts as PRIOR_LAUNCHES more.

    Source: the posterior mean of a variance under a scaled inverse chi-squared prior; Smyth 2004, section 3.
    """
    degrees, mean = len(values) - 1, statistics.fmean(values)
    own = sum((value - mean) ** 2 for value in values)  # of eight: numpy takes ten times as long
    return math.sqrt((own + PRIOR_LAUNCHES * typical) / (degrees + PRIOR_LAUNCHES))


def hodges_lehmann_shift(new: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of all differences new - base: how far the new launches lie from the baseline's.

    >>> hodges_lehmann_shift([3.0], [1.0, 2.0, 9.0])
    1.0
    """
    ordered = np.sort(np.subtract.outer(new, base), axis=None)  # of few, np.median takes five times as long
    middle = len(ordered) // 2
    return float((ordered[middle] + ordered[~middle]) / 2)


def shift_error(sd: float, num_new: int, num_base: float, shared: float = 0.0) -> float:
    """Return the standard error of the difference of two means of launches.

    Args:
        sd: of a launch.
        num_new: launches of the run.
        num_base: launches of the baseline; infinite where it were known exactly.
        shared: share of the variance that all launches of the run have in common, which more of them do not reduce.
    """
    return sd * math.sqrt(shared + (1 - shared) / num_new + 1 / num_base)


def percent(log_ratio: float) -> float:
    """Return a log ratio as a change in percent.

    >>> round(percent(math.log(1.3)), 6)
    30.0
    """
    return 100 * math.expm1(log_ratio)
