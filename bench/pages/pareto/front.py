"""The front: which model nobody beats on both axes, as far as the intervals tell, and which to pick at a throughput.

A throughput that was measured and one that the floor predicts are never ranked together: each basis has its own front.
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from bench.gate.intervals import joined_rate
from bench.gate.stats import Interval
from bench.pages.grouping import grouped
from bench.pages.pareto.points import TRAINED, Point

SHAPE = ("basis", "size", "num_parameters", "num_active_parameters")


class Standing(Enum):
    """Where a point stands among those of its tier, task and basis."""

    FRONT = "on the front"  # no other is at least as good on both axes, by the estimates
    OPEN = "open"  # another is, but the intervals overlap on an axis: it may be chance
    DOMINATED = "dominated"  # another is better on both axes, and the intervals separate; of one shape, in accuracy
    UNRANKED = "one seed: not ranked"  # of a way of training that others tried several times


class Placed(NamedTuple):
    """A point with the throughput that it is ranked by, and its standing by that."""

    point: Point
    rate: Interval
    standing: Standing = Standing.UNRANKED
    rival: Point | None = None  # the most accurate of those that are ahead
    ties: tuple[Point, ...] = ()  # on the front: those at least as fast whose accuracy may be as good, fastest first


def place(points: Sequence[Point], axis: str) -> list[Placed]:
    """Tell where each point stands among those of its basis.

    Args:
        points: Of one tier and one task.
        axis: A key of their throughputs.

    Returns:
        The points in the order in which they came.
    """
    ranked = [point for point in points if not point.has_one_seed] or points  # where none has more, all are alike
    rated = [Placed(point, _rate(point, ranked, axis)) for point in ranked]
    found = {id(one.point): _placed(one, [o for o in rated if o.point.basis == one.point.basis]) for one in rated}
    return [found.get(id(point)) or Placed(point, point.throughput[axis]) for point in points]


def _rate(point: Point, points: Sequence[Point], axis: str) -> Interval:
    """Return the throughput that a point is ranked by: its own, or that of all twins of its shape.

    Twins of one shape do the same work but for where their routers send tokens, which is little beside the noise of one
    launch: a front must not be made of it.
    """
    alike = [other.throughput[axis] for other in points if one_shape(point, other)]
    return joined_rate(alike) if len(alike) > 1 else point.throughput[axis]


def one_shape(point: Point, other: Point) -> bool:
    """Say whether two points are twins of one shape, which are taken as equally fast."""
    is_alike = all(getattr(point, name) == getattr(other, name) for name in SHAPE)
    return is_alike and point.tier == other.tier == TRAINED


def _placed(one: Placed, others: Sequence[Placed]) -> Placed:
    for standing, is_ahead in ((Standing.DOMINATED, _separated), (Standing.OPEN, _ahead)):
        rivals = [other.point for other in others if is_ahead(other, one)]
        if rivals:
            return one._replace(standing=standing, rival=max(rivals, key=lambda rival: rival.accuracy.estimate))
    return one._replace(standing=Standing.FRONT, ties=_ties(one, others))


def _separated(better: Placed, worse: Placed) -> bool:
    is_faster = better.rate.low > worse.rate.high or one_shape(better.point, worse.point)
    return is_faster and better.point.accuracy.low > worse.point.accuracy.high


def _ahead(better: Placed, worse: Placed) -> bool:
    pairs = [(one.point.accuracy.estimate, one.rate.estimate) for one in (better, worse)]
    return pairs[0] != pairs[1] and all(a >= b for a, b in zip(*pairs, strict=True))


def _ties(one: Placed, others: Sequence[Placed]) -> tuple[Point, ...]:
    fast = [other for other in others if other is not one and other.rate.estimate >= one.rate.estimate]
    as_good = [other for other in fast if other.point.accuracy.high >= one.point.accuracy.low]
    ranked = sorted(as_good, key=lambda other: (-other.rate.estimate, -other.point.accuracy.estimate))
    return tuple(other.point for other in ranked)


def steps(placed: Sequence[Placed]) -> list[list[Placed]]:
    """Return each basis's front: up to which throughput which model is to be picked, from the least throughput on.

    Args:
        placed: Of one tier and task.
    """
    front = [one for one in placed if one.standing is Standing.FRONT]
    parts = [{one.rate.estimate: one for one in part} for part in grouped(front, lambda one: one.point.basis)]
    return [[part[rate] for rate in sorted(part)] for part in parts]
