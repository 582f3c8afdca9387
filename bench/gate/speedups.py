"""MoE against dense on either side of a change: one number for each benchmark, scale, batch size and length."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.gate.ab.launches import PairedLaunch
from bench.gate.shares import is_share
from bench.gate.stats import block_log_ratios, percent, pseudo_median
from bench.harness.arms import PRIMARY, TWIN

HEADERS = ("benchmark", "scale", "batch", "length", "scenarios", "dense / MoE, base", "head", "change")
LENGTHS = ("seq_len", "num_tokens")  # axes by which a benchmark names how long its input is
FUNCTION = "bench_"  # prefix of a scenario's id that says nothing


class Row(NamedTuple):
    """What a row stands for; empty where the benchmark has no such axis."""

    benchmark: str
    scale: str
    batch_size: str
    length: str


def speedup_rows(launches: Iterable[PairedLaunch]) -> list[tuple[str, ...]]:
    """Compare MoE with dense on base and on head, a row in the order of measurement; above 1 the MoE is better.

    A launch's number is the pseudo-median over blocks of log(dense / MoE) on one side, a scenario's the median over its
    launches, a row's the mean over its scenarios. Placebos, shares, which are told in points, and scenarios without a
    dense twin or with counts of 0 are left out.
    """
    by_scenario: dict[tuple[Row, str], list[tuple[float, float]]] = {}
    for launch in launches:
        if not launch.is_placebo and _has_both(launch):
            by_scenario.setdefault((_row_of(launch), launch.scenario), []).append(_log_speedups(launch))
    rows: dict[Row, list[Sequence[float]]] = {}
    for (row, _), values in by_scenario.items():
        rows.setdefault(row, []).append([statistics.median(side) for side in zip(*values, strict=True)])
    return [(*row, *_cells(scenarios)) for row, scenarios in rows.items()]


def _row_of(launch: PairedLaunch) -> Row:
    params = launch.params
    length = next((params[axis] for axis in LENGTHS if axis in params), "")
    function = launch.scenario.partition("[")[0].removeprefix(FUNCTION)
    return Row(function, params.get("scale", ""), params.get("batch_size", ""), length)


def _has_both(launch: PairedLaunch) -> bool:
    """Tell whether MoE and dense have values that can be divided."""
    if launch.metric and is_share(launch.metric):
        return False
    twins = [launch.arms.get(arm, ((0.0,), (0.0,))) for arm in (PRIMARY, TWIN)]
    return all(min(side) > 0 for sides in twins for side in sides)


def _log_speedups(launch: PairedLaunch) -> tuple[float, float]:
    """Return log(dense / MoE) on base and on head, above 0 where the MoE is better."""
    base, head = (
        launch.sign * pseudo_median(block_log_ratios(dense, moe))
        for moe, dense in zip(launch.arms[PRIMARY], launch.arms[TWIN], strict=True)
    )
    return base, head


def _cells(scenarios: Sequence[Sequence[float]]) -> tuple[str, ...]:
    base, head = (math.exp(statistics.fmean(side)) for side in zip(*scenarios, strict=True))
    return (str(len(scenarios)), f"{base:.2f}x", f"{head:.2f}x", f"{percent(math.log(head / base)):+.1f} %")
