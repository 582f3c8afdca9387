"""One arm at a few layers of true width, or whole: a line through its depths tells of the whole model.

Two depths carry the line, its error is shown at a third.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.gate.launch_intervals import another_launch
from bench.gate.stats import Interval, block_log_ratios, median_interval
from bench.harness.peaks import floor_s
from bench.harness.record import ArmSeries

DEPTHS_NEEDED = 3  # two carry the line, the third checks it
WORST_CHECK_ERROR = 0.15  # a line that misses the depth between by more says nothing about a depth far outside
NUM_RESAMPLES, SEED = 1000, 0
LIMITS = (2.5, 97.5)  # percentiles of a 95 % interval


class Line(NamedTuple):
    """value = offset + slope * depth."""

    offset: float
    slope: float

    def at(self, depth: int) -> float:
        """Return the line's value at a depth."""
        return self.offset + self.slope * depth


def median_sample(series: ArmSeries) -> float:
    """Return the median sample of the last launch, in the metric's unit."""
    return median_interval(series.launches[-1].samples).estimate


def launches_median(series: ArmSeries) -> float:
    """Return the median sample, of several launches the geometric mean of theirs, in the metric's unit."""
    medians = [median_interval(launch.samples).estimate for launch in series.launches]
    return medians[0] if len(medians) == 1 else statistics.geometric_mean(medians)


def fit(points: Mapping[int, float]) -> tuple[Line, float]:
    """Draw a line through the shallowest and the deepest point; check it at the others.

    Args:
        points: depth in layers -> value; at least DEPTHS_NEEDED.

    Returns:
        The line, and the largest relative error at the depths between.

    >>> fit({1: 3.0, 2: 5.0, 4: 9.0})
    (Line(offset=1.0, slope=2.0), 0.0)
    """
    if len(points) < DEPTHS_NEEDED:
        raise ValueError(f"an extrapolation needs {DEPTHS_NEEDED} depths, got {sorted(points)}; give --depth 1,2,4")
    _, *between, _ = sorted(points)
    line = through(points)
    return line, max(abs(line.at(depth) / points[depth] - 1) for depth in between)


def through(points: Mapping[int, float]) -> Line:
    """Draw a line through the shallowest and the deepest point.

    >>> through({1: 3.0, 4: 9.0})
    Line(offset=1.0, slope=2.0)
    """
    low, high = min(points), max(points)
    slope = (points[high] - points[low]) / (high - low)
    return Line(points[low] - slope * low, slope)


class Slices(NamedTuple):
    """One arm of one scenario."""

    depths: tuple[int, ...]  # layers that were built, ascending; empty for the whole model
    series: Sequence[ArmSeries]  # one a depth
    full_depth: int

    def value(self) -> tuple[float, float]:
        """Return the whole model's sample, in the metric's unit, and the line's error."""
        values = [launches_median(one) for one in self.series]
        return self._whole(values), fit(dict(zip(self.depths, values, strict=True)))[1] if self.depths else 0.0

    def _whole(self, values: Sequence[float]) -> float:
        """Return what a quantity, one a depth, is of the whole model."""
        if not self.depths:
            return values[0]
        return through(dict(zip(self.depths, values, strict=True))).at(self.full_depth)

    def floor_s(self, peaks: Mapping[str, float]) -> float | None:
        """Return the least time that the peaks allow the whole model; None without costs or peaks.

        The work of each part is a line in the depth; the time is not, where a part passes from one limit to the other.
        """
        works = [_work(one) for one in self.series]
        if not all(works):
            return None
        parts = [
            [self._whole([part[unit] for part in same_part]) for unit in (0, 1)]
            for same_part in zip(*works, strict=True)
        ]
        flops, moved = map(sum, zip(*parts, strict=True))
        return floor_s({"flops": flops, "bytes": moved, "parts": parts}, peaks)


def _work(series: ArmSeries) -> Sequence[Sequence[float]]:
    """Return FLOPs and bytes of each part; of work that is not known in parts, of all of it."""
    cost = series.cost
    return cost.get("parts") or [(cost["flops"], cost["bytes"])] if cost else []


def speedup(rival: Slices, moe: Slices, typical: float = math.nan) -> Interval:
    """Return the rival's time over the MoE's with the interval in which another launch falls.

    Of lines the interval is the bootstrap's over blocks of the last launch, and so is a single launch's over its own,
    unless it is known how launches spread.

    Args:
        typical: Variance between the launches of a typical scenario; NaN: not known.
    """
    if not moe.depths:
        pairs = zip(rival.series[0].launches, moe.series[0].launches, strict=True)
        launches = [block_log_ratios(theirs.samples, ours.samples) for theirs, ours in pairs]
        is_alone = len(launches) == 1 and math.isnan(typical)
        logs = median_interval(launches[0]) if is_alone else another_launch(launches, typical)
        return Interval(*map(math.exp, logs))
    rng = np.random.default_rng(SEED)
    drawn = [_resampled_medians(rng, *arms) for arms in zip(rival.series, moe.series, strict=True)]
    low, high = moe.depths[0], moe.depths[-1]
    full = np.array([rival.full_depth, moe.full_depth])[:, None]
    at_full = drawn[0] + (drawn[-1] - drawn[0]) * ((full - low) / (high - low))
    limits = np.percentile(at_full[0] / at_full[1], LIMITS)
    return Interval(rival.value()[0] / moe.value()[0], *map(float, limits))


def _resampled_medians(rng: np.random.Generator, *arms: ArmSeries) -> NDArray[np.float64]:
    """Return the medians of resampled blocks, the same blocks of every arm, (arms, resamples)."""
    samples = np.array([arm.launches[-1].samples for arm in arms])
    chosen = rng.integers(samples.shape[1], size=(NUM_RESAMPLES, samples.shape[1]))
    medians: NDArray[np.float64] = np.median(samples[:, chosen], axis=2)
    return medians
