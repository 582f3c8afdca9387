"""Pairs: a model against those that it is to be compared with, in accuracy and throughput, with intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.contrasts import Contrast, Graded, contrast, holm
from bench.gate.intervals import independent_difference, independent_ratio, joined
from bench.gate.stats import Interval
from bench.pages.grouping import grouped
from bench.pages.pareto.points import PUBLISHED, SUPPLIED, TRAINED, Point
from bench.pages.pareto.questions import paired_difference

DENSE = "dense"  # a kind, and the twin of equal total parameters
REFERENCES = (DENSE, "dense_active", "plain")  # of twins: then equal active parameters, and no specialization
SIGNS = ("loses", "open", "wins")  # the interval is below 0, around it, above it
LEVEL = 0.05  # of all comparisons on a task together
ONE_SEED = "one seed"  # trained once, where another seed may turn the sign: not judged


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A point against another of its task: difference in accuracy, ratio of throughputs."""

    point: Point
    against: Point
    difference: Interval  # above 0: the point is more accurate
    num_seeds: int  # trained with both
    speedup: Interval | None  # above 1: the point is faster; None where one is measured and the other predicted
    contrast: Contrast | None = None  # over all seeds and pictures, where both tell their points
    finished: Contrast | None = None  # over the seeds that began to look, where both tell which
    p_value: float | None = None  # of no difference, over all comparisons on the task together

    @property
    def fewest_seeds(self) -> int:
        """Return how many seeds the one of fewer has."""
        return min(len(self.point.accuracy_by_seed), len(self.against.accuracy_by_seed))

    @property
    def excluded(self) -> float | None:
        """Return the bound beyond which a difference of either sign is excluded; None where only a convention says so.

        Of points by seed and picture by two one-sided tests at 5 %, else by the farther end of the interval.
        """
        if self.contrast:
            return self.contrast.excluded
        is_known = self.point.tier != PUBLISHED and self.outcome != ONE_SEED
        return max(abs(self.difference.low), abs(self.difference.high)) if is_known else None

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
    """Pair the models that are to be compared: twins of a size each with each, else every MoE with its rivals.

    Args:
        points: Of one tier and one task.
        axis: The throughput.
    """
    return [_pair(one, other, axis) for one in points for other in points if RIVALS[one.tier](one, other)]


def judged_together(found: Sequence[Pair]) -> list[Pair]:
    """Return the pairs, task by task, with p values that hold over all those of a task that have one (Holm)."""
    return [pair for of_task in grouped(found, lambda pair: pair.point.task) for pair in _held(of_task)]


def _held(found: Sequence[Pair]) -> list[Pair]:
    held = iter(holm([pair.contrast.p_value for pair in found if pair.contrast]))
    return [replace(pair, p_value=next(held)) if pair.contrast else pair for pair in found]


def _are_twins(point: Point, other: Point) -> bool:
    """Say whether twins are compared so and not the other way round: with the earlier reference, else by name."""
    return other.size == point.size and _rank(other) < _rank(point)


def _rank(point: Point) -> tuple[int, str]:
    is_reference = point.series in REFERENCES
    return REFERENCES.index(point.series) if is_reference else len(REFERENCES), point.series


RIVALS: Mapping[str, Callable[[Point, Point], bool]] = {  # tier -> whether a model is compared with another
    TRAINED: _are_twins,
    PUBLISHED: lambda point, other: (
        point.kind != DENSE and other.series == point.series and other.size in point.compared_with
    ),
    SUPPLIED: lambda point, other: point.kind != DENSE and other.kind == DENSE,  # whatever a user called it
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
        finished=_contrast(point.finished, other.finished),
        speedup=independent_ratio(point.throughput[axis], other.throughput[axis])
        if point.basis == other.basis
        else None,
    )


def _contrast(one: Graded | None, other: Graded | None) -> Contrast | None:
    """Compare where both tell their points, of the same pictures, two or more, and two seeds or more."""
    if one is None or other is None or list(one.counts_P) != list(other.counts_P):
        return None
    return contrast(one, other) if min(len(one.counts_P), len(one.sums_SP), len(other.sums_SP)) > 1 else None


def _difference(point: Point, other: Point, seed: int) -> Interval:
    """Return one seed's difference: on the same samples where the document has it, else from the two intervals."""
    if other.series == DENSE and seed in point.minus_dense_by_seed:
        return point.minus_dense_by_seed[seed]
    return independent_difference(point.accuracy_by_seed[seed], other.accuracy_by_seed[seed])
