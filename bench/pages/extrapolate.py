"""What a record's slices tell of whole models, arm by arm: rows under the measured ones, never mixed with them."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bench.harness.arms import ANCHOR
from bench.harness.metrics import metric
from bench.harness.record import ArmSeries, Record
from bench.pages.slices import DEPTHS_NEEDED, WORST_CHECK_ERROR, Slices

SLICED = r"@\d+(?!\d|of)"  # in an id: fewer layers, each with its own weights
BUILT = r"@\d*(of\d+)?"  # the same, or recycled ones


class Extrapolation(NamedTuple):
    """One arm at full depth, extrapolated; never measured."""

    scenario: str
    arm: str
    metric: str
    depths: tuple[int, ...]
    full_depth: int
    value: float  # in the metric's unit
    check_error: float  # relative error of the line at the depth that did not carry it


def extrapolations(record: Record) -> list[Extrapolation]:
    """Extrapolate every scenario that was measured at enough depths, arm by arm."""
    families: dict[tuple[str, str, str, int], dict[int, ArmSeries]] = {}
    for scenario_id, scenario in record.scenarios.items():
        for name, series in scenario.arms.items():
            depth, full = series.facts.get("depth"), series.facts.get(f"full_depth_{name}")
            if name != ANCHOR and depth and full:
                key = (full_depth_id(scenario_id), name, series.metric, int(full))
                families.setdefault(key, {})[int(depth)] = series
    return [_extrapolate(key, by_depth) for key, by_depth in families.items() if len(by_depth) >= DEPTHS_NEEDED]


def full_depth_id(scenario_id: str) -> str:
    """Drop the depth from a scenario's id; of recycled layers it is the depth that was measured.

    >>> full_depth_id("bench_decode[7b@2-mmmu-uniform-b1-s1024]")
    'bench_decode[7b-mmmu-uniform-b1-s1024]'
    >>> full_depth_id("bench_decode[34b@of4-mmmu-uniform-b1-s1024]")
    'bench_decode[34b@of4-mmmu-uniform-b1-s1024]'
    """
    return re.sub(SLICED, "", scenario_id)


def whole_id(scenario_id: str) -> str:
    """Drop from a scenario's id or a scale what was built of the model, depth and recycled layers.

    >>> whole_id("bench_decode[34b@of4-mmmu-b1]"), whole_id("7b@8of2"), whole_id("7b@4")
    ('bench_decode[34b-mmmu-b1]', '7b', '7b')
    """
    return re.sub(BUILT, "", scenario_id)


def _extrapolate(key: tuple[str, str, str, int], by_depth: Mapping[int, ArmSeries]) -> Extrapolation:
    scenario, arm, metric_name, full = key
    depths = tuple(sorted(by_depth))
    value, error = Slices(depths, [by_depth[depth] for depth in depths], full).value()
    return Extrapolation(scenario, arm, metric_name, depths, full, value, error)


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
