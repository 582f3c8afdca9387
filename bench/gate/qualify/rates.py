"""What suites come to: shares with intervals that take the suite, not the scenario, as the replicate."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats as scipy_stats

from bench.gate.ab.changes import is_judged
from bench.gate.qualify.replay import Outcome
from bench.gate.stats import Interval
from bench.gate.verdict import Verdict

CONFIDENCE = 0.95


class Share(NamedTuple):
    """So many of so many."""

    hits: int
    of: int

    def interval(self) -> Interval:
        """Return the share with its exact 95 % limits (Clopper & Pearson 1934); all of 0..1 where there is nothing.

        >>> Share(0, 40).interval().high < 0.09
        True
        """
        if self.of == 0:
            return Interval(math.nan, 0.0, 1.0)
        low, high = scipy_stats.binomtest(self.hits, self.of).proportion_ci(CONFIDENCE, method="exact")
        return Interval(self.hits / self.of, float(low), float(high))


class Clustered(NamedTuple):
    """So many of so many in each suite: what one suite holds is not independent."""

    by_suite: Sequence[Share]

    @property
    def total(self) -> Share:
        """Return the sum over the suites."""
        return Share(sum(one.hits for one in self.by_suite), sum(one.of for one in self.by_suite))

    def interval(self) -> Interval:
        """Return the share with 95 % limits by Student over the suites' shares.

        Where all suites are alike, which leaves nothing to spread, the limits are the exact ones of so many suites.
        """
        shares = [one.hits / one.of for one in self.by_suite if one.of]
        if not shares:
            return Share(0, 0).interval()
        mean = float(np.mean(shares))
        if len(set(shares)) == 1:
            return Share(round(sum(shares)), len(shares)).interval()._replace(estimate=mean)
        error = float(scipy_stats.sem(shares))
        half = float(scipy_stats.t.ppf((1 + CONFIDENCE) / 2, len(shares) - 1)) * error
        return Interval(mean, max(0.0, mean - half), min(1.0, mean + half))


def ended(outcomes: Sequence[Outcome], *verdicts: Verdict) -> Share:
    """Count the suites that ended with one of these verdicts."""
    return Share(sum(outcome.ending in verdicts for outcome in outcomes), len(outcomes))


def scenarios_where(
    outcomes: Iterable[Outcome], holds: Callable[[Outcome, str], bool], among: Iterable[str] | None = None
) -> Clustered:
    """Count scenarios suite by suite, of all or among some."""
    kept = None if among is None else set(among)
    shares = []
    for outcome in outcomes:
        names = [name for name in outcome.suite.launches[0].scenarios if kept is None or name in kept]
        shares.append(Share(sum(holds(outcome, name) for name in names), len(names)))
    return Clustered(shares)


def said(*verdicts: Verdict) -> Callable[[Outcome, str], bool]:
    """Return what tells whether a scenario ended with one of these verdicts."""

    def holds(outcome: Outcome, name: str) -> bool:
        return name in outcome.scenarios and outcome.scenarios[name].verdict in verdicts

    return holds


def coverage(outcomes: Iterable[Outcome]) -> Clustered:
    """Count the printed intervals, of judged arms, that hold what head is known to differ by."""
    shares = []
    for outcome in outcomes:
        factors = outcome.suite.kind.injected
        held = [
            change.interval.low <= math.log(factors.get(change.control.arm, 1.0)) <= change.interval.high
            for verdict in outcome.judgement.scenarios
            for change in verdict.changes
            if is_judged(change.control)
        ]
        shares.append(Share(sum(held), len(held)))
    return Clustered(shares)
