"""Pairs: an MoE against the models that it is to be compared with, in accuracy and throughput, with intervals."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.gate.stats import Interval
from bench.pages.pareto.points import PUBLISHED, SUPPLIED, TRAINED, Point, joined
from bench.pages.pareto.questions import paired_difference

DENSE = "dense"  # a kind, and the twin of equal total parameters
REFERENCES = (DENSE, "dense_active", "plain")  # of twins of one size; then equal active ones, and no specialization
SIGNS = ("loses", "open", "wins")  # the interval is below 0, around it, above it
ONE_SEED = "one seed"  # trained once, where another seed may turn the sign: not judged


class Pair(NamedTuple):
    """A point against another of its task: difference in accuracy, ratio of throughputs."""

    point: Point
    against: Point
    difference: Interval  # above 0: the point is more accurate
    num_seeds: int  # trained with both
    speedup: Interval | None  # above 1: the point is faster; None where one is measured and the other predicted

    @property
    def outcome(self) -> str:
        """Say how the point fares in accuracy: one of SIGNS, or ONE_SEED."""
        is_trained = self.point.tier == TRAINED
        if self.point.has_one_seed or self.against.has_one_seed or (is_trained and self.num_seeds == 1):  # in common
            return ONE_SEED
        return SIGNS[1 + (self.difference.low > 0) - (self.difference.high < 0)]


def pairs(points: Sequence[Point], axis: str) -> list[Pair]:
    """Pair every MoE with what it is to be compared with.

    Args:
        points: Of one tier and one task.
        axis: The throughput.
    """
    return [_pair(point, other, axis) for point in points for other in points if _compared(point, other)]


def _compared(point: Point, other: Point) -> bool:
    return point.kind != DENSE and point is not other and RIVALS[point.tier](point, other)


def _is_reference(point: Point, other: Point) -> bool:
    return other.size == point.size and other.series in REFERENCES


def _is_named(point: Point, other: Point) -> bool:
    return other.series == point.series and other.size in point.compared_with


def _is_dense(_: Point, other: Point) -> bool:
    return other.kind == DENSE  # whatever a user called it


RIVALS = {TRAINED: _is_reference, PUBLISHED: _is_named, SUPPLIED: _is_dense}  # tier -> what an MoE is compared with


def _pair(point: Point, other: Point, axis: str) -> Pair:
    seeds = [seed for seed in point.accuracy_by_seed if seed in other.accuracy_by_seed]
    by_question = paired_difference(point.scores, other.scores) if point.scores else None
    by_seed = joined([_difference(point, other, seed) for seed in seeds]) if seeds else None
    difference = by_question or by_seed or independent_difference(point.accuracy, other.accuracy)
    return Pair(
        point=point,
        against=other,
        difference=_within_one(difference),
        num_seeds=len(seeds),
        speedup=_ratio(point.throughput[axis], other.throughput[axis]) if point.basis == other.basis else None,
    )


def _within_one(difference: Interval) -> Interval:
    """Keep the interval of a difference of two shares where such a difference can lie.

    >>> _within_one(Interval(-0.5, -1.5, 0.5))
    Interval(estimate=-0.5, low=-1.0, high=0.5)
    """
    return Interval(difference.estimate, max(difference.low, -1.0), min(difference.high, 1.0))


def _ratio(one: Interval, other: Interval) -> Interval:
    """Return the interval of a ratio of two independent estimates: a difference of logarithms."""
    logs = [Interval(*map(math.log, rate)) for rate in (one, other)]
    return Interval(*map(math.exp, independent_difference(*logs)))


def _difference(point: Point, other: Point, seed: int) -> Interval:
    """Return one seed's difference: on the same samples where the document has it, else from the two intervals."""
    if other.series == DENSE and seed in point.minus_dense_by_seed:
        return point.minus_dense_by_seed[seed]
    return independent_difference(point.accuracy_by_seed[seed], other.accuracy_by_seed[seed])


def independent_difference(one: Interval, other: Interval) -> Interval:
    """Return the interval of a difference of two independent estimates: their half-widths add in squares.

    >>> independent_difference(Interval(5.0, 2.0, 8.0), Interval(1.0, -3.0, 5.0))
    Interval(estimate=4.0, low=-1.0, high=9.0)
    """
    estimate = one.estimate - other.estimate
    below = math.hypot(one.estimate - one.low, other.high - other.estimate)
    above = math.hypot(one.high - one.estimate, other.estimate - other.low)
    return Interval(estimate, estimate - below, estimate + above)
