"""What other gates would have said of the same blocks: a mean compared at 5 %, and Mann-Whitney on iterations.

Each compares two processes as a stored file is compared with a later run: base's blocks of one launch with head's of
the next. Interleaved, the same rules get both sides of one launch, which only a lock-step can offer them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats as scipy_stats

from bench.gate.ab.launches import PairedLaunch
from bench.harness.arms import ANCHOR, is_peer

MEAN_LIMIT = 1.05  # pytest-benchmark's --benchmark-compare-fail=mean:5%
SIGNIFICANCE = 0.05

Blocks = Sequence[float]
Rule = Callable[[Blocks, Blocks], bool]  # base, head -> slower?


def mean_is_5_percent_slower(base: Blocks, head: Blocks) -> bool:
    """Judge as `pytest-benchmark --benchmark-compare-fail=mean:5%` does.

    >>> mean_is_5_percent_slower([1.0, 1.0], [1.0, 1.2])
    True
    """
    return float(np.mean(head)) > MEAN_LIMIT * float(np.mean(base))


def mann_whitney_is_slower(base: Blocks, head: Blocks) -> bool:
    """Judge iterations as if each were a replicate: two-sided Mann-Whitney below 5 %, head's median the larger."""
    p = scipy_stats.mannwhitneyu(head, base, alternative="two-sided").pvalue
    return bool(p < SIGNIFICANCE and np.median(head) > np.median(base))


RULES: dict[str, Rule] = {
    "pytest-benchmark, mean:5%": mean_is_5_percent_slower,
    "Mann-Whitney on iterations": mann_whitney_is_slower,
}
INTERLEAVED = ", interleaved"


class Sides(NamedTuple):
    """What a rule gets to see of one arm."""

    base: Blocks
    head: Blocks


def flagged(stage_1: Iterable[PairedLaunch]) -> dict[str, list[str]]:
    """Name the scenarios that each rule, also INTERLEAVED, calls slower in any judged arm of a suite.

    The first two real launches of each scenario are used.
    """
    first_two: dict[str, list[PairedLaunch]] = {}
    for launch in stage_1:
        if not launch.is_placebo and not launch.counted and len(first_two.get(launch.scenario, ())) < 2:
            first_two.setdefault(launch.scenario, []).append(launch)
    pairs = {name: two for name, two in first_two.items() if len(two) == 2}
    found = {}
    for rule_name, rule in RULES.items():
        found[rule_name] = [n for n, (one, two) in pairs.items() if _any_slower(rule, _sides(one, two))]
        found[rule_name + INTERLEAVED] = [n for n, (one, _) in pairs.items() if _any_slower(rule, _sides(one, one))]
    return found


def _sides(base: PairedLaunch, head: PairedLaunch) -> dict[str, Sides]:
    return {arm: Sides(base.arms[arm][0], head.arms[arm][1]) for arm in base.arms if arm != ANCHOR and not is_peer(arm)}


def _any_slower(rule: Rule, arms: Mapping[str, Sides]) -> bool:
    return any(rule(sides.base, sides.head) for sides in arms.values())
