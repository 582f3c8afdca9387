"""What each kind of MoE is compared with in accuracy, and who leads each task: question 2's first half."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from bench.pages.grouping import grouped
from bench.pages.pareto.documents import Tier
from bench.pages.pareto.pairs import DENSE, Pair, pairs
from bench.pages.pareto.points import AXES, Point

WHO = {"smoes": "SMoES", "moe": "plain MoEs", "ablation": "SMoES' ablations"}  # kind of a point -> who these are
ALIKE_TOTAL = 1.3  # total parameters of two models within this factor are about equal: families do not match closer
ALIKE_ACTIVE = 1.5  # a published 3.3 B active stand beside 4.4 and 4.7 B


class Fare(NamedTuple):
    """One kind of MoE against one kind of rival, over the tasks and sizes of a tier."""

    who: str
    against: str  # of AGAINST
    pairs: Sequence[Pair]


class Lead(NamedTuple):
    """Who leads a task: the most accurate, and the fastest of those whose interval of accuracy reaches its."""

    most_accurate: Point
    fastest: Point

    @property
    def times(self) -> float:
        """Return how many times the requests/s of the most accurate the fastest makes."""
        return _rate(self.fastest) / _rate(self.most_accurate)


def fares(tier: Tier) -> list[Fare]:
    """Return what was compared, by kind of MoE and of rival."""
    found = [pair for task in tier.tasks for pair in pairs(tier.of(task), AXES[0])]
    every = [
        Fare(who, against, [pair for pair in found if pair.point.kind == kind and rival(pair) == against])
        for kind, who in WHO.items()
        for against in AGAINST
    ]
    return [fare for fare in every if fare.pairs]


def rival(pair: Pair) -> str:
    """Name what the MoE of a pair is compared with: the first of AGAINST that holds, or nothing."""
    return next((name for name, holds in AGAINST.items() if holds(pair)), "")


def _is_dense(pair: Pair) -> bool:
    return pair.against.kind == DENSE


def _equal_total(pair: Pair) -> bool:
    return _is_dense(pair) and _within(ALIKE_TOTAL, pair.point.num_parameters, pair.against.num_parameters)


def _equal_active(pair: Pair) -> bool:
    return _is_dense(pair) and _within(ALIKE_ACTIVE, pair.point.num_active_parameters, pair.against.num_parameters)


def _within(factor: float, one: float, other: float) -> bool:
    return abs(math.log(one / other)) < math.log(factor)


def _plain(pair: Pair) -> bool:
    """Say whether a pair tells what specialization does: the same MoE without it."""
    return pair.against.kind == "moe" and pair.point.kind != "moe"


AGAINST: Mapping[str, Callable[[Pair], bool]] = {
    "dense, about equal total parameters": _equal_total,
    "dense, about equal active parameters": _equal_active,
    "dense, other sizes": _is_dense,
    "plain MoEs": _plain,
}


def leads(points: Iterable[Point]) -> list[Lead]:
    """Return who leads each task, throughputs of one basis apart; beside others, what was trained once does not."""
    groups = grouped(points, lambda point: (point.task, point.basis))
    return [_lead([point for point in group if not point.has_one_seed] or group) for group in groups]


def _lead(points: Sequence[Point]) -> Lead:
    best = max(points, key=lambda point: (point.accuracy.estimate, _rate(point)))
    others = [point for point in points if point.num_parameters != best.num_parameters]  # twins differ by noise alone
    alike = [best, *(point for point in others if point.accuracy.high >= best.accuracy.low)]
    return Lead(best, max(alike, key=lambda point: (_rate(point), point.accuracy.estimate)))


def _rate(point: Point) -> float:
    return point.throughput[AXES[0]].estimate
