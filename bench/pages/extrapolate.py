"""From a few layers at true width to the whole model: a line through two depths, its error shown at a third."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bench.gate.stats import median_interval
from bench.harness.arms import ANCHOR
from bench.harness.metrics import metric
from bench.harness.record import ArmSeries, Record

DEPTHS_NEEDED = 3  # two carry the line, the third checks it
WORST_CHECK_ERROR = 0.15  # a line that misses the depth between by more says nothing about a depth far outside


class Extrapolation(NamedTuple):
    """One arm at full depth, extrapolated; never measured."""

    scenario: str
    arm: str
    metric: str
    depths: tuple[int, ...]
    full_depth: int
    value: float  # in the metric's unit
    check_error: float  # relative error of the line at the depth that did not carry it


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
    low, *between, high = sorted(points)
    slope = (points[high] - points[low]) / (high - low)
    line = Line(points[low] - slope * low, slope)
    return line, max(abs(line.at(depth) / points[depth] - 1) for depth in between)


def extrapolations(record: Record) -> list[Extrapolation]:
    """Extrapolate every scenario that was measured at enough depths, arm by arm."""
    families: dict[tuple[str, str, str, int], dict[int, float]] = {}
    for scenario_id, scenario in record.scenarios.items():
        for name, series in scenario.arms.items():
            depth, full = series.facts.get("depth"), series.facts.get(f"full_depth_{name}")
            if name != ANCHOR and depth and full:
                key = (full_depth_id(scenario_id), name, series.metric, int(full))
                families.setdefault(key, {})[int(depth)] = median_sample(series)
    return [_extrapolate(key, points) for key, points in families.items() if len(points) >= DEPTHS_NEEDED]


def full_depth_id(scenario_id: str) -> str:
    """Drop the depth from a scenario's id.

    >>> full_depth_id("bench_decode[7b@2-mmmu-uniform-b1-s1024]")
    'bench_decode[7b-mmmu-uniform-b1-s1024]'
    """
    return re.sub(r"@\d+", "", scenario_id)


def _extrapolate(key: tuple[str, str, str, int], points: Mapping[int, float]) -> Extrapolation:
    scenario, arm, metric_name, full = key
    line, error = fit(points)
    return Extrapolation(scenario, arm, metric_name, tuple(sorted(points)), full, line.at(full), error)


EXTRAPOLATION_HEADERS = (
    "scenario (extrapolated)",
    "arm",
    "full depth",
    "measured depths",
    "error at the depth between",
)


def extrapolation_rows(found: Iterable[Extrapolation]) -> list[tuple[str, ...]]:
    """Lay extrapolations out as rows under EXTRAPOLATION_HEADERS."""
    return [
        (
            e.scenario,
            e.arm,
            _shown(e),
            ", ".join(map(str, e.depths)),
            f"{100 * e.check_error:.1f} %",
        )
        for e in found
    ]


def _shown(found: Extrapolation) -> str:
    """Show the value at full depth, or that the points lie on no line."""
    if found.check_error > WORST_CHECK_ERROR or found.value <= 0:
        return "no line through these depths; measure again on a quieter machine"
    return f"{metric(found.metric).display(found.value)} at {found.full_depth} layers"
