"""The front: which model nobody beats on both axes, as far as the intervals tell, and which to pick at a throughput.

A throughput that was measured and one that the floor predicts are never ranked together: each basis has its own front.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from bench.gate.stats import Interval
from bench.pages.grouping import grouped
from bench.pages.pareto.points import TRAINED, Point, joined_rate

Rates = Mapping[int, Interval]  # id of a point -> the throughput that it is ranked by


class Standing(Enum):
    """Where a point stands among those of its tier, task and basis."""

    FRONT = "on the front"  # no other is at least as good on both axes, by the estimates
    OPEN = "open"  # another is, but the intervals overlap on an axis: it may be chance
    DOMINATED = "dominated"  # another is better on both axes, and the intervals separate; of one shape, in accuracy
    UNRANKED = "one seed: not ranked"  # of a way of training that others tried several times


class Placed(NamedTuple):
    """A point with its standing, and who is ahead of it: the most accurate of those that are; None on the front."""

    point: Point
    standing: Standing
    rival: Point | None


class Pick(NamedTuple):
    """What to pick where at most so much throughput is needed, and what is as good within the intervals and as fast."""

    up_to: float
    point: Point
    ties: tuple[Point, ...]


def place(points: Sequence[Point], axis: str) -> list[Placed]:
    """Tell where each point stands among those of its basis.

    Args:
        points: Of one tier and one task, each with a throughput on the axis.
        axis: A key of their throughputs.

    Returns:
        The points in the order in which they came.

    Raises:
        ValueError: Tiers or tasks are mixed.
    """
    groups = sorted({(point.tier, point.task) for point in points})
    if len(groups) > 1:
        raise ValueError(
            f"points of a front must be of one tier and one task, got {', '.join(map(' '.join, groups))}; "
            "make a front of each"
        )
    ranked = _ranked(points)
    rates = _rates(ranked, axis)
    return [_placed(point, ranked, rates) for point in points]


def _ranked(points: Sequence[Point]) -> Sequence[Point]:
    return [point for point in points if not point.has_one_seed] or points  # where none has more, all are alike


def _rates(points: Sequence[Point], axis: str) -> Rates:
    """Return the throughput that each point is ranked by: its own, or that of all twins of its shape.

    Twins of one shape do the same work but for where their routers send tokens, which is little beside the noise of one
    launch: a front must not be made of it.
    """
    rates = {id(point): point.throughput[axis] for point in points}
    for alike in grouped([point for point in points if point.tier == TRAINED], _shape):
        if len(alike) > 1:
            rates |= dict.fromkeys(map(id, alike), joined_rate([point.throughput[axis] for point in alike]))
    return rates


def one_shape(point: Point, other: Point) -> bool:
    """Say whether two points are twins of one shape, which are taken as equally fast."""
    return point.tier == other.tier == TRAINED and _shape(point) == _shape(other)


def _shape(point: Point) -> tuple[str, ...]:
    return point.basis, point.size, str(point.num_parameters), str(point.num_active_parameters)


def _placed(point: Point, points: Sequence[Point], rates: Rates) -> Placed:
    if id(point) not in rates:
        return Placed(point, Standing.UNRANKED, None)
    for standing, ahead in ((Standing.DOMINATED, _separated), (Standing.OPEN, _ahead)):
        rivals = [other for other in points if other.basis == point.basis and ahead(other, point, rates)]
        if rivals:
            return Placed(point, standing, max(rivals, key=lambda rival: rival.accuracy.estimate))
    return Placed(point, Standing.FRONT, None)


def _separated(better: Point, worse: Point, rates: Rates) -> bool:
    is_faster = rates[id(better)].low > rates[id(worse)].high
    return better.accuracy.low > worse.accuracy.high and (is_faster or one_shape(better, worse))


def _ahead(better: Point, worse: Point, rates: Rates) -> bool:
    pairs = [(p.accuracy.estimate, rates[id(p)].estimate) for p in (better, worse)]
    return pairs[0] != pairs[1] and all(a >= b for a, b in zip(*pairs, strict=True))


def by_basis(placed: Sequence[Placed]) -> dict[str, list[Placed]]:
    """Part points by where their throughput comes from, in the order in which the bases come."""
    parts: dict[str, list[Placed]] = {}
    for one in placed:
        parts.setdefault(one.point.basis, []).append(one)
    return parts


def picks(placed: Sequence[Placed], axis: str) -> list[Pick]:
    """Return what to pick at which throughput, from the least on: the most accurate model that is fast enough.

    Args:
        placed: Of one tier, task and basis, as `by_basis` parts them.
        axis: As there.
    """
    points = [one.point for one in placed if one.standing is not Standing.UNRANKED]
    rates = _rates(points, axis)
    front = {rates[id(point)].estimate: point for point, standing, _ in placed if standing is Standing.FRONT}
    return [Pick(rate, front[rate], _ties(front[rate], points, rates)) for rate in sorted(front)]


def _ties(pick: Point, points: Sequence[Point], rates: Rates) -> tuple[Point, ...]:
    """Return those as fast that cannot be told from the pick in accuracy: fastest first, then most accurate."""
    speed = {id(point): rates[id(point)].estimate for point in points}
    fast = [point for point in points if speed[id(point)] >= speed[id(pick)]]
    as_good = [point for point in fast if point is not pick and point.accuracy.high >= pick.accuracy.low]
    return tuple(sorted(as_good, key=lambda point: (-speed[id(point)], -point.accuracy.estimate)))
