"""When twins began to look, by setting and variant: how many did, at which step, and whether sooner than plain ones."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from bench.contrasts import holm
from bench.gate.stats import Interval
from bench.pages.twins.documents import Setting, Twin

STEP = "transition"  # of a twin: the step at which it began to look, None if it never did; older documents do not tell


@dataclass(frozen=True, kw_only=True)
class Learned:
    """The twins of one variant of a setting; accuracies are shares."""

    setting: str
    variant: str
    started: int
    finished: int  # those that began to look
    share: Interval  # of those that began to look
    steps: tuple[int, ...]  # in rising order
    accuracy: float  # of all that were started, their mean
    spread: float | None  # standard deviation over seeds
    accuracy_finished: float | None
    spread_finished: float | None
    p_value: float | None = None  # of beginning at the steps of plain ones, over the variants of a setting together

    @property
    def median(self) -> float:
        """Return the step by which half of those that did had begun."""
        return statistics.median(self.steps)


def learned(setting: Setting, reference: str) -> list[Learned]:
    """Return a row for each variant whose twins all tell when they began to look.

    Args:
        reference: The variant that the others are compared with (Mann and Whitney 1947; who never began is last).
    """
    told = {name: twins for name, twins in setting.variants.items() if all(STEP in twin for twin in twins)}
    compared = [name for name in told if reference in told and name != reference]
    p_values = [_rank_test(told[name], told[reference]) for name in compared]
    held = dict(zip(compared, holm(p_values), strict=True))
    return [_row(setting.name, name, twins, held.get(name)) for name, twins in told.items()]


def _rank_test(twins: Sequence[Twin], others: Sequence[Twin]) -> float:
    ours, theirs = (
        [math.inf if twin[STEP] is None else float(twin[STEP]) for twin in some] for some in (twins, others)
    )
    if len({*ours, *theirs}) == 1:
        return 1.0
    return float(scipy.stats.mannwhitneyu(ours, theirs).pvalue)


def _row(setting: str, variant: str, twins: Sequence[Twin], p_value: float | None) -> Learned:
    finished = [twin for twin in twins if twin[STEP] is not None]
    exact = scipy.stats.binomtest(len(finished), len(twins)).proportion_ci()  # Clopper and Pearson 1934
    every, done = ([twin["accuracy"]["all"]["estimate"] for twin in some] for some in (twins, finished))
    return Learned(
        setting=setting,
        variant=variant,
        started=len(twins),
        finished=len(finished),
        share=Interval(len(finished) / len(twins), float(exact.low), float(exact.high)),
        steps=tuple(sorted(twin[STEP] for twin in finished)),
        accuracy=statistics.fmean(every),
        spread=_spread(every),
        accuracy_finished=statistics.fmean(done) if done else None,
        spread_finished=_spread(done),
        p_value=p_value,
    )


def _spread(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
