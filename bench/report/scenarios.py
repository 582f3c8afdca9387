"""Scenarios as the page has them: axes, arms with values and ratios, launches with their blocks, and what is said."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from bench.gate.telling import plain
from bench.gate.verdict import SEVERITY, ScenarioVerdict, Verdict
from bench.harness.arms import ANCHOR, PEER, PRIMARY
from bench.harness.metrics import METRICS, metric
from bench.harness.peaks import MATMUL, floor_s, moving_byte_per_s
from bench.harness.record import ArmSeries, Record, Scenario
from bench.report.compared import ChangeForm, Compared, LaunchForm, VerdictForm
from bench.report.values import Limits, limits, over_moe, rounded, samples, value_of

ARM, PART, PEER_ARM = "arm", "part", "peer"  # kinds of arms, beside the anchor: a model, a part of one, another's code
BASE, HEAD = "base", "head"


class LaunchData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one process measured of one arm."""

    id: str
    samples: list[float]  # one a block, in the metric's unit
    voided: int = 0
    side: str = ""  # of a comparison


class ArmData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One arm of a scenario."""

    arm: str
    kind: str
    value: float | None = None  # median of its launches' medians, in the metric's unit
    ratio: Limits | None = None  # its value over MoE's; of shares its lead in points
    floor: float | None = None  # least time over time
    floors: float | None = None  # its least time over MoE's
    mfu: float | None = None
    mbu: float | None = None
    rates: dict[str, float] = {}  # throughput by metric
    change: str = ""  # of a comparison: of this arm
    launches: list[LaunchData] = []


class ScenarioData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scenario of one source."""

    id: str
    source: int  # its place among the sources
    benchmark: str
    axes: dict[str, str]
    metric: str
    verdict: str = ""
    where: str = ""
    why: str = ""
    changes: list[dict[str, Any]] = []  # that which moved most first; see `telling.plain`
    arms: list[ArmData] = []
    depth: int = 0  # layers that were built, where not all were
    is_counted: bool = False


def of_record(record: Record, source: int, verdicts: Mapping[str, ScenarioVerdict]) -> list[ScenarioData]:
    """Return the scenarios of a record; last, without values, what else there are verdicts on: groups, wrong answers.

    Args:
        record: the run.
        source: its place among the sources.
        verdicts: by scenario or group; what has none was not compared.
    """
    told = [_scenario(one, source, record.peaks, verdicts.get(name)) for name, one in record.scenarios.items()]
    rest = {name: verdict for name, verdict in verdicts.items() if name not in record.scenarios}
    rest |= {name: ScenarioVerdict(scenario=name, verdict=Verdict.WRONG, why=why) for name, why in record.wrong.items()}
    unmeasured = [
        ScenarioData(id=name, source=source, benchmark=benchmark_of(name), axes={}, metric="", **_told(verdict))
        for name, verdict in rest.items()
    ]
    return [*told, *unmeasured]


def benchmark_of(scenario_id: str) -> str:
    """Return the function of a scenario.

    >>> benchmark_of("bench_decode[tiny-b1]")
    'bench_decode'
    """
    return scenario_id.partition("[")[0]


def kind_of(arm: str, arms: Iterable[str]) -> str:
    """Tell what an arm is, among those of its scenario.

    >>> [kind_of(arm, ["moe", "moe/router", "llama.cpp/moe"]) for arm in ("moe", "moe/router", "llama.cpp/moe")]
    ['arm', 'part', 'peer']
    """
    owner, separator, _ = arm.partition(PEER)
    if not separator:
        return ANCHOR if arm == ANCHOR else ARM
    return PART if owner in (*arms, "uniform") else PEER_ARM


def _scenario(one: Scenario, source: int, peaks: Mapping[str, float], said: ScenarioVerdict | None) -> ScenarioData:
    moe = one.arms[PRIMARY]
    built, full = moe.facts.get("depth", 0), moe.facts.get(f"full_depth_{PRIMARY}", 0)
    return ScenarioData(
        id=one.id,
        source=source,
        benchmark=benchmark_of(one.id),
        axes={name: str(value) for name, value in moe.params.items()},
        metric=moe.metric,
        **(_told(said) if said else {}),
        arms=[_arm(series, moe, kind_of(arm, one.arms), peaks) for arm, series in one.arms.items()],
        depth=int(built) if built and full and built != full else 0,
        is_counted=not moe.anchor,
    )


def _told(said: ScenarioVerdict) -> dict[str, Any]:
    """Return what the page has of a verdict."""
    changes = ranked([plain(change) for change in said.changes])
    return {"verdict": said.verdict.value, "where": said.where, "why": said.why, "changes": changes}


def ranked(changes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return changes, the most severe first, of those alike the largest."""
    order = sorted(changes, key=lambda one: (SEVERITY[Verdict(one["verdict"])], one["log_ratio"] or 0), reverse=True)
    return [{**one, "log_ratio": rounded(one["log_ratio"])} for one in order]


def _arm(series: ArmSeries, moe: ArmSeries, kind: str, peaks: Mapping[str, float]) -> ArmData:
    value = value_of(series)
    is_beside = kind in (ARM, PEER_ARM) and series is not moe
    floor, moes = floor_s(series.cost, peaks), floor_s(moe.cost, peaks)
    flops, moved = (series.cost[unit] if series.cost else None for unit in ("flops", "bytes"))
    return ArmData(
        arm=series.arm,
        kind=kind,
        value=rounded(value),
        ratio=limits(over_moe(series, moe)) if is_beside else None,
        floor=_share(floor, 1.0, value),
        floors=rounded(floor / moes) if is_beside and floor and moes else None,
        mfu=_share(flops, peaks.get(MATMUL), value),
        mbu=_share(moved, moving_byte_per_s(peaks), value),
        rates={name: rate for name, per_unit in series.rates.items() if value and (rate := rounded(per_unit / value))},
        launches=[
            LaunchData(id=launch.id, samples=samples(launch.samples), voided=launch.voided)
            for launch in series.launches
        ],
    )


def _share(work: float | None, peak: float | None, seconds: float | None) -> float | None:
    """Return which share of the measured time work takes at its peak."""
    return rounded(work / peak / seconds) if work is not None and peak and seconds else None


def of_comparison(found: Compared, source: int) -> list[ScenarioData]:
    """Return the scenarios of what `ab` left, base's samples beside head's; placebos, base beside itself, are named so.

    Args:
        found: the document.
        source: its place among the sources.
    """
    launches: dict[str, list[LaunchForm]] = {}
    for launch in found.launches:
        launches.setdefault(launch.scenario, []).append(launch)
    said = {one.scenario: one for one in (*found.verdicts, *found.groups)}
    names = dict.fromkeys([*launches, *said])
    return [_compared(name, source, launches.get(name, []), said.get(name)) for name in names]


def _compared(name: str, source: int, launches: Sequence[LaunchForm], said: VerdictForm | None) -> ScenarioData:
    first = launches[0] if launches else None
    changes = list(said.changes) if said else []
    arms = dict.fromkeys(arm for launch in launches for arm in launch.arms)
    return ScenarioData(
        id=name,
        source=source,
        benchmark=benchmark_of(name),
        axes={axis: str(value) for axis, value in first.params.items()} if first else {},
        metric=first.metric if first else "",
        verdict=said.verdict.value if said else "",
        where=said.where if said else "",
        why=said.why if said else "",
        changes=ranked([_plain(change) for change in changes]),
        arms=[_compared_arm(arm, arms, launches, changes) for arm in arms],
        is_counted=bool(first and first.counted),
    )


def _plain(change: ChangeForm) -> dict[str, Any]:
    fields = ("control", "log_ratio", "said", "bound")
    return {**{name: getattr(change, name) for name in fields}, "verdict": change.verdict.value}


def _compared_arm(
    arm: str, arms: Iterable[str], launches: Sequence[LaunchForm], changes: Sequence[ChangeForm]
) -> ArmData:
    real = [launch.arms[arm] for launch in launches if arm in launch.arms and not launch.is_placebo]
    heads = [statistics.median(head) for _, head in real if head]
    sides = [
        LaunchData(id=_named(launch), samples=samples(values), side=side)
        for launch in launches
        if arm in launch.arms
        for side, values in zip((BASE, HEAD), launch.arms[arm], strict=True)
    ]
    own = next((change.said for change in changes if change.control.removesuffix(f"/{BASE}") == arm), "")
    return ArmData(
        arm=arm,
        kind=kind_of(arm, arms),
        value=rounded(statistics.median(heads)) if heads else None,
        change=own,
        launches=sides,
    )


def _named(launch: LaunchForm) -> str:
    return f"{launch.number + 1}{' (base twice)' if launch.is_placebo else ''}"


def metrics_of(scenarios: Iterable[ScenarioData]) -> dict[str, dict[str, str]]:
    """Return what the page says of the metrics that scenarios have, their throughputs among them."""
    names = dict.fromkeys(
        name for one in scenarios for name in (one.metric, *(rate for arm in one.arms for rate in arm.rates))
    )
    return {
        name: {"unit": found.unit, "label": found.label, "formula": found.formula, "better": found.better}
        for name in names
        if name in METRICS
        for found in [metric(name)]
    }
