"""Pairs: an MoE against the models that it is to be compared with, in accuracy and throughput, with intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.contrasts import Contrast, Graded, contrast, holm
from bench.gate.intervals import independent_difference, independent_ratio, joined
from bench.gate.stats import Interval
from bench.pages.pareto.points import PUBLISHED, SUPPLIED, TRAINED, Point
from bench.pages.pareto.questions import paired_difference

DENSE = "dense"  # a kind, and the twin of equal total parameters
REFERENCES = (DENSE, "dense_active", "plain")  # of twins of one size; then equal active ones, and no specialization
SIGNS = ("loses", "open", "wins")  # the interval is below 0, around it, above it
LEVEL = 0.05  # of all comparisons together
ONE_SEED = "one seed"  # trained once, where another seed may turn the sign: not judged


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A point against another of its task: difference in accuracy, ratio of throughputs."""

    point: Point
    against: Point
    difference: Interval  # above 0: the point is more accurate
    num_seeds: int  # trained with both
    speedup: Interval | None  # above 1: the point is faster; None where one is measured and the other predicted
    contrast: Contrast | None = None  # over seeds and pictures, where both tell their points
    p_value: float | None = None  # of no difference, over all comparisons of a page together

    @property
    def outcome(self) -> str:
        """Say how the point fares in accuracy: one of SIGNS, or ONE_SEED."""
        is_trained = self.point.tier == TRAINED and self.contrast is None
        if self.point.has_one_seed or self.against.has_one_seed or (is_trained and self.num_seeds == 1):  # in common
            return ONE_SEED
        if self.p_value is not None and self.p_value >= LEVEL:
            return SIGNS[1]
        return SIGNS[1 + (self.difference.low > 0) - (self.difference.high < 0)]


def pairs(points: Sequence[Point], axis: str) -> list[Pair]:
    """Pair every MoE with what it is to be compared with.

    Args:
        points: Of one tier and one task.
        axis: The throughput.
    """
    return [_pair(point, other, axis) for point in points for other in points if _compared(point, other)]


def judged_together(found: Sequence[Pair]) -> list[Pair]:
    """Return the pairs with p values that hold over all of them that have one (Holm)."""
    contrasts = [pair.contrast.p_value for pair in found if pair.contrast]
    held = iter(holm(contrasts))
    return [replace(pair, p_value=next(held)) if pair.contrast else pair for pair in found]


def _compared(point: Point, other: Point) -> bool:
    return point.kind != DENSE and point is not other and RIVALS[point.tier](point, other)


RIVALS: Mapping[str, Callable[[Point, Point], bool]] = {  # tier -> what an MoE is compared with
    TRAINED: lambda point, other: other.size == point.size and other.series in REFERENCES,
    PUBLISHED: lambda point, other: other.series == point.series and other.size in point.compared_with,
    SUPPLIED: lambda _, other: other.kind == DENSE,  # whatever a user called it
}


def _pair(point: Point, other: Point, axis: str) -> Pair:
    seeds = [seed for seed in point.accuracy_by_seed if seed in other.accuracy_by_seed]
    over_both = _contrast(point.graded, other.graded)
    by_question = paired_difference(point.scores, other.scores) if point.scores else None
    by_seed = joined([_difference(point, other, seed) for seed in seeds]) if seeds else None
    estimate, low, high = (
        (over_both and over_both.interval())
        or by_question
        or by_seed
        or independent_difference(point.accuracy, other.accuracy)
    )
    return Pair(
        point=point,
        against=other,
        difference=Interval(estimate, max(low, -1.0), min(high, 1.0)),  # of shares
        num_seeds=len(seeds),
        contrast=over_both,
        speedup=independent_ratio(point.throughput[axis], other.throughput[axis])
        if point.basis == other.basis
        else None,
    )


def _contrast(one: Graded | None, other: Graded | None) -> Contrast | None:
    """Compare where both tell their points, of the same pictures and two seeds or more."""
    if one is None or other is None or list(one.counts_P) != list(other.counts_P):
        return None
    return contrast(one, other) if min(len(one.sums_SP), len(other.sums_SP)) > 1 else None


def _difference(point: Point, other: Point, seed: int) -> Interval:
    """Return one seed's difference: on the same samples where the document has it, else from the two intervals."""
    if other.series == DENSE and seed in point.minus_dense_by_seed:
        return point.minus_dense_by_seed[seed]
    return independent_difference(point.accuracy_by_seed[seed], other.accuracy_by_seed[seed])
