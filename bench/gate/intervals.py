"""Intervals joined and compared: seeds or runs of one model, and two estimates that know nothing of each other."""

import math
from collections.abc import Sequence
from statistics import fmean

from bench.gate.stats import Interval, mean_interval


def joined(intervals: Sequence[Interval]) -> Interval:
    """Join what several seeds say of one model: the mean, with an interval that holds both seeds and samples.

    All seeds answer the same questions, so averaging over seeds does not shrink what these questions leave open: the
    half-width is the root of the sum of the squares of Student's half-width over seeds and of the mean half-width over
    samples. It is a little too wide, for the seeds' own spread holds a part of the samples' noise. One seed has its
    samples' interval alone.

    Args:
        intervals: One a seed, at least one.

    Source: errors from independent causes add in squares.

    >>> joined([Interval(0.5, 0.4, 0.6)])
    Interval(estimate=0.5, low=0.4, high=0.6)
    """
    mean = mean_interval([interval.estimate for interval in intervals])
    over_seeds = mean.high - mean.estimate if mean.is_bounded else 0.0
    below = math.hypot(over_seeds, fmean(interval.estimate - interval.low for interval in intervals))
    above = math.hypot(over_seeds, fmean(interval.high - interval.estimate for interval in intervals))
    return Interval(mean.estimate, mean.estimate - below, mean.estimate + above)


def joined_share(intervals: Sequence[Interval]) -> Interval:
    """Join accuracies: as `joined`, within 0 and 1."""
    estimate, low, high = joined(intervals)
    return Interval(estimate, max(low, 0.0), min(high, 1.0))


def joined_rate(intervals: Sequence[Interval]) -> Interval:
    """Join throughputs: as `joined`, but of logarithms, for what disturbs a rate multiplies it."""
    logs = joined([Interval(*map(math.log, interval)) for interval in intervals])
    return Interval(*map(math.exp, logs))


def independent_difference(one: Interval, other: Interval) -> Interval:
    """Return the interval of a difference of two independent estimates: their half-widths add in squares.

    >>> independent_difference(Interval(5.0, 2.0, 8.0), Interval(1.0, -3.0, 5.0))
    Interval(estimate=4.0, low=-1.0, high=9.0)
    """
    estimate = one.estimate - other.estimate
    below = math.hypot(one.estimate - one.low, other.high - other.estimate)
    above = math.hypot(one.high - one.estimate, other.estimate - other.low)
    return Interval(estimate, estimate - below, estimate + above)


def independent_ratio(one: Interval, other: Interval) -> Interval:
    """Return the interval of a ratio of two independent estimates: a difference of logarithms."""
    logs = [Interval(*map(math.log, rate)) for rate in (one, other)]
    return Interval(*map(math.exp, independent_difference(*logs)))
