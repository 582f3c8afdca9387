"""How much more a run spreads than the baseline's launches did: on a busier machine scenarios part from one another.

A change of code shifts the scenarios that run it, most of them alike; what neighbours take of caches, cores and
bandwidth hits each scenario differently. So the spread around the common shift, in standard errors, tells how far the
errors that the baseline gives hold now.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from bench.gate.judging import TWO_SIDED_95
from bench.gate.verdict import Change, ScenarioVerdict

MIN_SCENARIOS = 12  # fewer tell their own spread no better than the baseline does
SMALLEST = 1.5  # less is met by launches of the baseline itself: scenarios of a group move together, so few speak
LARGEST = 2.0  # a change that hits every scenario differently must not excuse itself
NORMAL_MAD = 1.4826  # by which the median absolute deviation of a normal distribution is its standard deviation


def unrest_of(verdicts: Iterable[ScenarioVerdict]) -> dict[str, float]:
    """Return the factor by which the errors of a run's first launches exceed the baseline's.

    Returns:
        1, or from SMALLEST to LARGEST, by a control's kind; kinds with fewer than MIN_SCENARIOS changes are left out.
    """
    groups: dict[str, list[Change]] = {}
    for change in (change for verdict in verdicts for change in verdict.changes):
        # a count has no error, also where it is set against another arm's
        if change.control.against is not None and change.interval.high > change.interval.estimate:
            groups.setdefault(change.control.kind, []).append(change)
    return {kind: _factor(changes) for kind, changes in groups.items() if len(changes) >= MIN_SCENARIOS}


def _factor(changes: Iterable[Change]) -> float:
    """Return the robust spread of the changes around their median, in their own standard errors, within bounds."""
    estimates, highs = np.array([(c.interval.estimate, c.interval.high) for c in changes]).T
    errors = (highs - estimates) / TWO_SIDED_95
    z = (estimates - np.median(estimates)) / errors
    spread = NORMAL_MAD * float(np.median(np.abs(z - np.median(z))))
    return 1.0 if spread < SMALLEST else min(spread, LARGEST)


def widest(unrest: Mapping[str, float]) -> float:
    """Return the largest factor; 1 if nothing could be told."""
    return max(unrest.values(), default=1.0)
