"""Points: one model on one task, with intervals on both axes; seeds and repeated runs of a model are one point."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.contrasts import Graded
from bench.gate.stats import Interval

AXES = ("req_per_s", "prefill_tok_per_s")  # throughputs, keys of METRICS; the first is what a user waits for
LIMITS = Interval._fields  # how documents write an interval
MEASURED, PREDICTED = "measured", "predicted"  # where a throughput comes from
TRAINED = "measured"  # the tier whose points stand for ways of training, one checkpoint a seed
PUBLISHED, SUPPLIED = "published", "supplied"  # the other tiers
KINDS = {"dense": "dense", "moe": "MoE", "smoes": "SMoES", "ablation": "ablation"}  # as they are written
TITLES = {"mmmu": "MMMU", "mathvista": "MathVista", "chartqa": "ChartQA", "docvqa": "DocVQA"}  # tasks, likewise


@dataclass(frozen=True, kw_only=True)
class Point:
    """One model on one task; accuracies and scores are shares, 0 to 1."""

    tier: str  # where the accuracy comes from, one of `documents.TIERS`
    task: str  # what it was asked
    series: str  # what the models of one colour have in common: a variant, or a family
    size: str  # tells the models of a series apart
    kind: str  # one of KINDS
    num_parameters: float  # vision tower included
    num_active_parameters: float  # those that one token meets
    accuracy: Interval
    throughput: Mapping[str, Interval]  # by axis, in the axis's unit
    basis: str = MEASURED  # or PREDICTED, from the floor
    blind: float | None = None  # score of the best guesser without sight, where somebody measured it
    accuracy_by_seed: Mapping[int, Interval]  # over samples alone
    minus_dense_by_seed: Mapping[int, Interval] = field(default_factory=dict)  # to `dense` of that seed, same samples
    num_samples: int | None = None  # questions, for each seed alike, where the source says
    unparsed_rate: float | None = None  # share of answers that the rules could not read, where they may not
    compared_with: Sequence[str] = ()  # sizes of its series; empty where its tier has a rule
    source: str = ""  # who says so
    split: str = ""  # of the benchmark
    graded: Graded | None = None  # points by seed and picture, where every seed's are told
    transitions: Mapping[int, int | None] = field(
        default_factory=dict
    )  # steps at which seeds began to look, where told
    scores: tuple[float, ...] = ()  # of each question, in an order that a task's points share

    @property
    def has_one_seed(self) -> bool:
        """Say whether it stands for a way of training that was tried once: its interval knows nothing of luck."""
        return self.tier == TRAINED and len(self.accuracy_by_seed) == 1

    @property
    def num_unfinished(self) -> int:
        """Count the seeds that never began to look; 0 where no document tells."""
        return sum(step is None for step in self.transitions.values())

    @property
    def finished(self) -> Graded | None:
        """Return the points of the seeds that began to look, where both are told and there is one."""
        is_finished = [self.transitions.get(seed) is not None for seed in self.accuracy_by_seed]
        if self.graded is None or not any(is_finished):
            return None
        return replace(self.graded, sums_SP=self.graded.sums_SP[is_finished])

    @property
    def seeds_apart(self) -> float:
        """Return how far its seeds' accuracies lie apart."""
        estimates = [accuracy.estimate for accuracy in self.accuracy_by_seed.values()]
        return max(estimates) - min(estimates)

    @property
    def name(self) -> str:
        """Name the model: its series and its size."""
        return f"{self.series} {self.size}".strip()
