"""Numbers of the page: as few digits as a reader needs, and nothing where there is no number."""

import math
import statistics
from collections.abc import Sequence

from bench.gate.shares import LEAD, interval_of, is_share
from bench.gate.stats import Interval, block_log_ratios, median_interval
from bench.harness.record import ArmSeries

# Significant. A block's noise is far above the fourth; of six a rate may end in a half, which browsers round up.
DIGITS, SAMPLE_DIGITS = 8, 4
Limits = tuple[float, float | None, float | None]  # estimate, low, high; without bounds None


def rounded(value: float | None, digits: int = DIGITS) -> float | None:
    """Return a number with so many significant digits; nothing for what is none.

    >>> rounded(0.123456789), rounded(123456.0, 2), rounded(float("inf")), rounded(None)
    (0.12345679, 120000.0, None, None)
    """
    return float(f"{value:.{digits}g}") if value is not None and math.isfinite(value) else None


def limits(found: Interval | None) -> Limits | None:
    """Return an interval as the page has it.

    >>> limits(Interval(2.0, 1.0, 3.0)), limits(Interval(2.0, -math.inf, math.inf)), limits(None)
    ((2.0, 1.0, 3.0), (2.0, None, None), None)
    """
    if found is None or (estimate := rounded(found.estimate)) is None:
        return None
    return estimate, rounded(found.low), rounded(found.high)


def value_of(series: ArmSeries) -> float | None:
    """Return an arm's value: the median over launches of the median over blocks; None where all blocks were voided."""
    medians = [statistics.median(launch.samples) for launch in series.launches if launch.samples]
    return statistics.median(medians) if medians else None


def over_moe(other: ArmSeries, moe: ArmSeries) -> Interval | None:
    """Return how many times the MoE's value another arm's is, block by block; of shares its lead in points.

    Over the launches where there are several, of one over its blocks; what is counted has an estimate alone.
    """
    if is_share(moe.metric):
        return _lead(other, moe)
    pairs = [(a.samples, b.samples) for a, b in zip(other.launches, moe.launches, strict=True) if a.samples]
    if not pairs:
        return None
    if len(pairs) == 1:
        logs = block_log_ratios(*pairs[0])
    else:
        logs = [statistics.median(block_log_ratios(*pair)) for pair in pairs]
    found = median_interval(logs)
    shown = found if moe.anchor else Interval(found.estimate, -math.inf, math.inf)
    return Interval(*(math.exp(value) if math.isfinite(value) else value for value in shown))


def _lead(other: ArmSeries, moe: ArmSeries) -> Interval | None:
    if lead := interval_of(other.facts, LEAD, other.arm):
        return Interval(*(100 * limit for limit in lead))
    theirs, ours = value_of(other), value_of(moe)
    return None if theirs is None or ours is None else Interval(100 * (theirs - ours), -math.inf, math.inf)


def samples(values: Sequence[float]) -> list[float]:
    """Return a launch's blocks with few digits."""
    return [float(f"{value:.{SAMPLE_DIGITS}g}") for value in values]
