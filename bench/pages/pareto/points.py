"""Points: one model on one task, with intervals on both axes; seeds and repeated runs of a model are one point."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.gate.stats import Interval, mean_interval

AXES = ("req_per_s", "prefill_tok_per_s")  # throughputs, keys of METRICS; the first is what a user waits for
LIMITS = Interval._fields  # how documents write an interval
MEASURED, PREDICTED = "measured", "predicted"  # where a throughput comes from
TRAINED = "measured"  # the tier whose points stand for ways of training, one checkpoint a seed
PUBLISHED, SUPPLIED = "published", "supplied"  # the other tiers
KINDS = {"dense": "dense", "moe": "MoE", "smoes": "SMoES", "ablation": "ablation"}  # as they are written


@dataclass(frozen=True, kw_only=True)
class Point:
    """One model on one task.

    Args:
        tier: Where the accuracy comes from, one of `documents.TIERS`.
        task: What it was asked.
        series: What the models of one colour have in common: a variant, or a family.
        size: Tells the models of a series apart.
        kind: One of KINDS.
        num_parameters: All of them, vision tower included.
        num_active_parameters: Those that one token meets.
        accuracy: Mean score, 0 to 1.
        throughput: By axis, in the axis's unit.
        basis: MEASURED, or PREDICTED from the floor.
        blind: Score of the best guesser without sight; None where nobody measured it.
        accuracy_by_seed: Mean score of each seed, with the interval over samples.
        minus_dense_by_seed: Difference to the dense twin of the same size and seed on the same samples, where known.
        num_samples: Questions, for each seed alike; None where the source does not say.
        unparsed_rate: Share of answers that the rules could not read; None where the rules read all.
        compared_with: Sizes of its series that it is to be compared with; empty where its tier has a rule.
        source: Who says so.
        split: Of the benchmark, that the accuracy is of; empty where the document does not say.
        scores: Of each question, in an order that a task's points share; empty where documents hold none.
    """

    tier: str
    task: str
    series: str
    size: str
    kind: str
    num_parameters: float
    num_active_parameters: float
    accuracy: Interval
    throughput: Mapping[str, Interval]
    basis: str = MEASURED
    blind: float | None = None
    accuracy_by_seed: Mapping[int, Interval]
    minus_dense_by_seed: Mapping[int, Interval] = field(default_factory=dict)
    num_samples: int | None = None
    unparsed_rate: float | None = None
    compared_with: tuple[str, ...] = ()
    source: str = ""
    split: str = ""
    scores: tuple[float, ...] = ()

    @property
    def has_one_seed(self) -> bool:
        """Say whether it stands for a way of training that was tried once: its interval knows nothing of luck."""
        return self.tier == TRAINED and len(self.accuracy_by_seed) == 1

    @property
    def name(self) -> str:
        """Name the model: its series and its size."""
        return f"{self.series} {self.size}".strip()


def joined(intervals: Sequence[Interval]) -> Interval:
    """Join what several seeds say of one model: the mean, with an interval that holds both seeds and samples.

    All seeds answer the same questions, so averaging over seeds does not shrink what these questions leave open: the
    half-width is the root of the sum of the squares of Student's half-width over seeds and of the mean half-width over
    samples. It is a little too wide, for the seeds' own spread holds a part of the samples' noise. One seed has its
    samples' interval alone.

    Args:
        intervals: One a seed, at least one.

    Source: errors from independent causes add in squares.

    >>> joined([Interval(0.5, 0.4, 0.6)])
    Interval(estimate=0.5, low=0.4, high=0.6)
    """
    mean = mean_interval([interval.estimate for interval in intervals])
    over_seeds = 0.0 if math.isinf(mean.high) else mean.high - mean.estimate
    below, above = (
        math.hypot(over_seeds, sum(sides) / len(intervals))
        for sides in (
            [interval.estimate - interval.low for interval in intervals],
            [interval.high - interval.estimate for interval in intervals],
        )
    )
    return Interval(mean.estimate, mean.estimate - below, mean.estimate + above)


def joined_share(intervals: Sequence[Interval]) -> Interval:
    """Join accuracies: as `joined`, within 0 and 1.

    >>> joined_share([Interval(0.98, 0.95, 1.0), Interval(1.0, 1.0, 1.0)]).high
    1.0
    """
    estimate, low, high = joined(intervals)
    return Interval(estimate, max(low, 0.0), min(high, 1.0))


def joined_rate(intervals: Sequence[Interval]) -> Interval:
    """Join throughputs: as `joined`, but of logarithms, for what disturbs a rate multiplies it.

    >>> [round(value, 6) for value in joined_rate([Interval(100.0, 90.0, 110.0)])]
    [100.0, 90.0, 110.0]
    """
    logs = joined([Interval(*map(math.log, interval)) for interval in intervals])
    return Interval(*map(math.exp, logs))
