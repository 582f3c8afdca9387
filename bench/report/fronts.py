"""Accuracy against throughput: points with intervals on both axes, where each stands, and the front as a staircase."""

from msgspec import Struct

from bench.pages.pareto.documents import Tier
from bench.pages.pareto.front import Placed, place, steps
from bench.pages.pareto.points import AXES, TITLES
from bench.report.values import Limits, limits, rounded

RATE = AXES[0]  # requests a second: what a user waits for


class PointData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model on one task."""

    name: str
    series: str
    kind: str
    num_parameters: float
    num_active_parameters: float
    accuracy: Limits  # shares
    rate: Limits  # requests a second
    basis: str
    standing: str
    rival: str = ""  # that is ahead
    seeds: int = 1
    unfinished: int = 0  # of them: trained, but they never began to look
    source: str = ""


class FrontData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One task of one document."""

    file: str
    tier: str
    machine: str
    workload: str
    task: str
    title: str
    points: list[PointData]
    fronts: list[list[tuple[float, float]]]  # (requests a second, accuracy), by basis
    blind: float | None = None  # share that the best guesser without sight scores


def fronts_of(file: str, tier: Tier) -> list[FrontData]:
    """Return what a document holds, task by task."""
    return [_front(file, tier, task) for task in tier.tasks]


def _front(file: str, tier: Tier, task: str) -> FrontData:
    placed, origin = place(tier.of(task), RATE), tier.origin(task)
    blind = [one.point.blind for one in placed if one.point.blind is not None]
    return FrontData(
        file=file,
        tier=tier.name,
        machine=origin.machine,
        workload=origin.workload,
        task=task,
        title=TITLES.get(task, task),
        points=[_point(one) for one in placed],
        fronts=[[(one.rate.estimate, one.point.accuracy.estimate) for one in front] for front in steps(placed)],
        blind=max(blind, default=None),
    )


def _point(one: Placed) -> PointData:
    point = one.point
    accuracy, rate = limits(point.accuracy), limits(point.throughput[RATE])
    assert accuracy is not None  # the document's form demands numbers
    assert rate is not None
    return PointData(
        name=point.name,
        series=point.series,
        kind=point.kind,
        num_parameters=rounded(point.num_parameters) or 0.0,
        num_active_parameters=rounded(point.num_active_parameters) or 0.0,
        accuracy=accuracy,
        rate=rate,
        basis=point.basis,
        standing=one.standing.value,
        rival=one.rival.name if one.rival else "",
        seeds=max(1, len(point.accuracy_by_seed)),
        unfinished=point.num_unfinished,
        source=point.source,
    )
