"""A record with its verdicts as rows of figures, the same for a terminal and for markdown. Judges nothing."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.gate.groups import SUITE
from bench.gate.shares import LEAD, LEVEL, interval_of, is_share
from bench.gate.stats import Interval, block_log_ratios, median_interval
from bench.gate.telling import bound, moved
from bench.gate.verdict import SEVERITY, Change, ScenarioVerdict, Verdict
from bench.harness.arms import ANCHOR, PRIMARY
from bench.harness.memory import BUILT
from bench.harness.metrics import metric
from bench.harness.peaks import MATMUL, Cost, floor_s, moving_byte_per_s
from bench.harness.record import ArmSeries, Record, Scenario
from bench.pages.engine import percent, ratio
from bench.pages.samples import percentiles, samples_of
from bench.pages.slices import median_sample

HEADERS = (
    *("scenario", "MoE", "other arm", "its value", "other / MoE [95 %]", "MFU", "MBU", "floor"),
    *("change [tolerance]", "verdict"),
)
ARM_HEADERS = ("arm", "value", "arm / MoE [95 %]", "MFU", "MBU", "floor")
PERCENTILE_HEADERS = ("scenario", "arm", "times", "p50", "p95", "p99")
PARTS = "parts of a pass, each timed alone, are left out: --parts shows them"
SAME_BYTES = 1e-3  # share by which counts may differ that look alike


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: the MoE arm against one other arm of a scenario."""

    scenario: str
    moe: str = ""
    against: str = ""
    other: str = ""
    speedup: str = ""
    mfu: str = ""
    mbu: str = ""
    floor: str = ""
    change: str = ""
    verdict: Verdict | None = None

    @property
    def said(self) -> str:
        """Return the verdict's name."""
        return self.verdict.value if self.verdict else ""

    def cells(self) -> tuple[str, ...]:
        """Return the cells in the order of HEADERS."""
        return (
            *(self.scenario, self.moe, self.against, self.other, self.speedup),
            *(self.mfu, self.mbu, self.floor, self.change, self.said),
        )


def rows_of(record: Record, verdicts: Mapping[str, ScenarioVerdict], *, parts: bool = False) -> list[Row]:
    """Turn the last launch of each scenario into rows, times before counts; wrong answers stand last.

    Args:
        parts: show parts of a pass too; see `is_part`.
    """
    rows: list[Row] = []
    for scenario_id, scenario in record.scenarios.items():
        others = [arm for arm in shown_arms(scenario.arms, parts=parts) if arm != PRIMARY] or [PRIMARY]
        for index, other in enumerate(others):
            verdict = verdicts.get(scenario_id) if index == 0 else None
            rows.append(_row(scenario, other, record.peaks, verdict, first=index == 0))
    return [*rows, *(Row(scenario=name, verdict=Verdict.WRONG) for name in record.wrong)]


def arm_rows(record: Record, *, parts: bool = False) -> dict[str, list[tuple[str, ...]]]:
    """Return by scenario a row an arm, under ARM_HEADERS: what fits where `rows_of` is too wide."""
    return {
        name: [
            _arm_row(scenario.arms[PRIMARY], scenario.arms[arm], record.peaks)
            for arm in shown_arms(scenario.arms, parts=parts)
        ]
        for name, scenario in record.scenarios.items()
    }


def percentile_rows(record: Record, *, parts: bool = False) -> list[tuple[str, ...]]:
    """Return the percentiles of each arm whose times are many, over all launches, under PERCENTILE_HEADERS."""
    return [
        (name, arm, f"{len(samples_of(series)):,}", *map(metric(series.metric).display, found))
        for name, scenario in record.scenarios.items()
        for arm, series in scenario.arms.items()
        if arm in shown_arms(scenario.arms, parts=parts) and (found := percentiles(samples_of(series)))
    ]


def has_parts(record: Record) -> bool:
    """Tell whether a scenario has arms that are parts."""
    return any(is_part(arm, one.arms) for one in record.scenarios.values() for arm in one.arms)


def shown_arms(arms: Collection[str], *, parts: bool) -> list[str]:
    """Return the arms that a table shows, without the anchor."""
    return [arm for arm in arms if arm != ANCHOR and (parts or not is_part(arm, arms))]


def is_part(arm: str, arms: Collection[str]) -> bool:
    """Tell whether an arm is a part of another's pass, as bench_layers names them, and no peer.

    >>> arms = ("moe", "dense", "moe/layers", "dense/ffn", "uniform/layers", "transformers/eager")
    >>> [arm for arm in arms if is_part(arm, arms)]
    ['moe/layers', 'dense/ffn', 'uniform/layers']
    """
    owner, _, part = arm.partition("/")
    return bool(part) and (owner in arms or f"{PRIMARY}/{part}" in arms)


def group_rows(groups: Iterable[ScenarioVerdict]) -> list[Row]:
    """Turn verdicts on groups into rows: what moved or is not decided, and the suite."""
    return [
        Row(scenario=f"all of {group.scenario}", change=_change(group.changes), verdict=group.verdict)
        for group in groups
        if group.verdict is not Verdict.OK or group.scenario == SUITE
    ]


def _row(
    scenario: Scenario, other: str, peaks: Mapping[str, float], verdict: ScenarioVerdict | None, *, first: bool
) -> Row:
    moe, against = scenario.arms[PRIMARY], scenario.arms[other]
    alone = other == PRIMARY
    arms = [moe] if alone else [moe, against]
    return Row(
        scenario=scenario.id if first else "",
        moe=_value(moe) if first else "",
        against="" if alone else other,
        other="" if alone else _value(against),
        speedup="" if alone else _speedup(moe, against),
        **dict(zip(("mfu", "mbu", "floor"), _all_shares(arms, peaks), strict=True)),
        change=_change(verdict.changes) if verdict else "",
        verdict=verdict.verdict if verdict else None,
    )


def _value(series: ArmSeries) -> str:
    """Show the sample, the interval of a share, the bytes of a build that are others, the first throughput it gives."""
    value, show = median_sample(series), metric(series.metric).display
    if is_share(series.metric) and (level := interval_of(series.facts, LEVEL, series.arm)):
        return percent(level)
    rates = [metric(name).display(quantity / value) for name, quantity in series.rates.items()]
    built = series.facts.get(BUILT.format(arm=series.arm), value)
    before = [] if math.isclose(built, value, rel_tol=SAME_BYTES) else [f"{show(built)} built"]
    return " · ".join([show(value), *before, *rates[:1]])


def _speedup(moe: ArmSeries, other: ArmSeries) -> str:
    """Show the ratio with the interval of its blocks, of what is counted alone; of shares the difference in points."""
    if is_share(moe.metric):
        lead = interval_of(other.facts, LEAD, other.arm) or median_sample(other) - median_sample(moe)
        return percent(lead, "+z.1f", " points")
    ratios = block_log_ratios(other.launches[-1].samples, moe.launches[-1].samples)
    found = Interval(*map(math.exp, median_interval(ratios)))
    return ratio(found) if moe.anchor else ratio(found.estimate)


def _all_shares(arms: Sequence[ArmSeries], peaks: Mapping[str, float]) -> tuple[str, str, str]:
    """Show MFU, MBU and floor."""
    mfu, mbu = (_alone("flops", peaks.get(MATMUL)), _alone("bytes", moving_byte_per_s(peaks)))
    return (_shares(arms, mfu), _shares(arms, mbu), _shares(arms, lambda cost: floor_s(cost, peaks)))


def _shares(arms: Iterable[ArmSeries], least_s: Callable[[Cost], float | None]) -> str:
    """Show in percent which share of the measured time some least time is, for each arm that has one."""
    shares = [
        f"{100 * least / median_sample(arm):.0f}"
        for arm in arms
        if arm.cost is not None and (least := least_s(arm.cost)) is not None
    ]
    return f"{' / '.join(shares)} %" if shares else ""


def _alone(unit: str, peak: float | None) -> Callable[[Cost], float | None]:
    """Return what takes a cost to the least time of one unit of it."""
    return lambda cost: cost[unit] / peak if peak else None


def _change(changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    worst = max(changes, key=lambda c: (SEVERITY[c.verdict], c.interval.estimate / c.tolerance))
    return f"{worst.control} {moved(worst, with_interval=False)} [{bound(worst, '.0f')}]"


def _arm_row(moe: ArmSeries, arm: ArmSeries, peaks: Mapping[str, float]) -> tuple[str, ...]:
    return (arm.arm, _value(arm), "" if arm.arm == PRIMARY else _speedup(moe, arm), *_all_shares([arm], peaks))
