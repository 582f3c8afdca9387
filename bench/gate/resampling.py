"""The bootstrap of accuracies and rates: what is drawn anew is the picture, the question or the batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from bench.gate.stats import Interval

NUM_RESAMPLES = 2000  # limits of a 95 % interval are then within a hundredth of its width
RESAMPLES_AT_ONCE = 100  # of five thousand questions: some megabytes
RESAMPLING_SEED = 0

Floats = NDArray[np.float64]


def ratio_interval(numerators: ArrayLike, denominators: ArrayLike) -> Interval:
    """Return the ratio of two sums with its 95 % percentile interval over the items summed (Efron 1979).

    Args:
        numerators: One an item, at least one item.
        denominators: Of the same items, their sum above 0.

    Returns:
        Of one item, which leaves nothing to draw, an interval of no width.

    >>> ratio_interval([1.0], [2.0])
    Interval(estimate=0.5, low=0.5, high=0.5)
    """
    data: Sequence[Any] = [np.asarray(values, dtype=float) for values in (numerators, denominators)]
    estimate = float(_ratio(*data))
    if len(data[0]) < 2:
        return Interval(estimate, estimate, estimate)
    limits = scipy.stats.bootstrap(
        data, _ratio, n_resamples=NUM_RESAMPLES, batch=RESAMPLES_AT_ONCE, paired=True, vectorized=True,
        method="percentile", rng=np.random.default_rng(RESAMPLING_SEED),
    ).confidence_interval  # fmt: skip
    return Interval(estimate, float(limits.low), float(limits.high))


def _ratio(numerators: Floats, denominators: Floats, axis: int = -1) -> Floats:
    """Return the ratio of sums; 0 where what was drawn sums to nothing, as pictures without a question of a kind do."""
    total, number = numerators.sum(axis=axis), denominators.sum(axis=axis)
    return np.asarray(np.divide(total, number, out=np.zeros_like(total), where=number > 0))
