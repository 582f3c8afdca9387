"""An arm's samples over all launches of a record, and how many times another's they are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.gate.stats import Interval, median_interval
from bench.harness.record import ArmSeries

MANY = 100  # samples: of fewer, the slowest hundredth is none


class Percentiles(NamedTuple):
    """How the times of many requests spread."""

    p50: float
    p95: float
    p99: float


def percentiles(samples: Sequence[float]) -> Percentiles | None:
    """Return percentiles, interpolated between samples as vLLM's are; nothing of fewer than MANY.

    >>> percentiles([1.0] * 99 + [3.0, 3.0]), percentiles([1.0])
    (Percentiles(p50=1.0, p95=1.0, p99=3.0), None)
    """
    return Percentiles(*map(float, np.percentile(samples, (50, 95, 99)))) if len(samples) >= MANY else None


def samples_of(series: ArmSeries) -> list[float]:
    """Return one value a block of any of the record's launches."""
    return [one for launch in series.launches for one in launch.samples]


def quotient(values: Sequence[float], base: Sequence[float]) -> Interval:
    """Return how many times the base values are, block by block: median over blocks with its interval.

    >>> quotient([2.0, 4.0, 9.0], [1.0, 2.0, 3.0])
    Interval(estimate=2.0, low=2.0, high=3.0)
    """
    return median_interval([a / b for a, b in zip(values, base, strict=True)])
