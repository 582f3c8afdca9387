"""Pairs: an MoE against the models that it is to be compared with, in accuracy and throughput, with intervals."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.gate.intervals import independent_difference, independent_ratio, joined
from bench.gate.stats import Interval
from bench.pages.pareto.points import PUBLISHED, SUPPLIED, TRAINED, Point
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


RIVALS: Mapping[str, Callable[[Point, Point], bool]] = {  # tier -> what an MoE is compared with
    TRAINED: lambda point, other: other.size == point.size and other.series in REFERENCES,
    PUBLISHED: lambda point, other: other.series == point.series and other.size in point.compared_with,
    SUPPLIED: lambda _, other: other.kind == DENSE,  # whatever a user called it
}


def _pair(point: Point, other: Point, axis: str) -> Pair:
    seeds = [seed for seed in point.accuracy_by_seed if seed in other.accuracy_by_seed]
    by_question = paired_difference(point.scores, other.scores) if point.scores else None
    by_seed = joined([_difference(point, other, seed) for seed in seeds]) if seeds else None
    estimate, low, high = by_question or by_seed or independent_difference(point.accuracy, other.accuracy)
    return Pair(
        point=point,
        against=other,
        difference=Interval(estimate, max(low, -1.0), min(high, 1.0)),  # of shares
        num_seeds=len(seeds),
        speedup=independent_ratio(point.throughput[axis], other.throughput[axis])
        if point.basis == other.basis
        else None,
    )


def _difference(point: Point, other: Point, seed: int) -> Interval:
    """Return one seed's difference: on the same samples where the document has it, else from the two intervals."""
    if other.series == DENSE and seed in point.minus_dense_by_seed:
        return point.minus_dense_by_seed[seed]
    return independent_difference(point.accuracy_by_seed[seed], other.accuracy_by_seed[seed])
