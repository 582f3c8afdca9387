"""What other gates would have said of the same launches: a mean compared at 5 %, and Mann-Whitney on iterations.

Each pools the blocks of as many launches as the gate had. It compares processes as a stored file is compared with a
later run: base's blocks of the first real launches with head's of the last. Interleaved, it gets both sides of the
first ones, which only a lock-step can offer. A mean is over all blocks; Mann-Whitney gets those that were kept.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats as scipy_stats

from bench.gate.qualify.suites import PER_MILLE, Sample, Suite

MEAN_LIMIT = 1.05  # pytest-benchmark's --benchmark-compare-fail=mean:5%
SIGNIFICANCE = 0.05


class Pooled(NamedTuple):
    """What a rule gets to see of one side of one arm: seconds."""

    means: Sequence[float]  # of launches
    blocks: Sequence[float]


Arms = Mapping[str, Sample]
Rule = Callable[[Pooled, Pooled], bool]  # base, head -> slower?


def mean_is_5_percent_slower(base: Pooled, head: Pooled) -> bool:
    """Judge as `pytest-benchmark --benchmark-compare-fail=mean:5%` does.

    >>> mean_is_5_percent_slower(Pooled([1.0, 1.0], []), Pooled([1.0, 1.2], []))
    True
    """
    return float(np.mean(head.means)) > MEAN_LIMIT * float(np.mean(base.means))


def mann_whitney_is_slower(base: Pooled, head: Pooled) -> bool:
    """Judge iterations as if each were a replicate: two-sided Mann-Whitney below 5 %, head's median the larger."""
    p = scipy_stats.mannwhitneyu(head.blocks, base.blocks, alternative="two-sided").pvalue
    return bool(p < SIGNIFICANCE and np.median(head.blocks) > np.median(base.blocks))


RULES: dict[str, Rule] = {
    "pytest-benchmark, mean:5%": mean_is_5_percent_slower,
    "Mann-Whitney on iterations": mann_whitney_is_slower,
}
INTERLEAVED = ", interleaved"


def flagged(suite: Suite, num_launches: Mapping[str, int]) -> dict[str, list[str]]:
    """Name the scenarios that each rule, also INTERLEAVED, calls slower in any judged arm.

    Args:
        suite: what was measured.
        num_launches: by scenario, how many real launches the gate had.
    """
    found: dict[str, list[str]] = {rule + suffix: [] for suffix in ("", INTERLEAVED) for rule in RULES}
    for scenario, number in num_launches.items():
        measured = (launch.scenarios.get(scenario) for launch in suite.launches if not launch.is_placebo)
        real = [one.arms for one in measured if one and one.arms]
        for suffix, heads in (("", real[-number:]), (INTERLEAVED, real[:number])) if number else ():
            arms = _pooled(real[:number], heads)
            for name, rule in RULES.items():
                if any(rule(base, head) for base, head in arms):
                    found[name + suffix].append(scenario)
    return found


def _pooled(bases: Sequence[Arms], heads: Sequence[Arms]) -> list[tuple[Pooled, Pooled]]:
    """Return both sides of each judged arm."""
    judged = [arm for arm, sample in bases[0].items() if sample.base_mean]
    return [
        (
            Pooled([one[arm].base_mean for one in bases], _seconds(bases, arm, "base_blocks")),
            Pooled([one[arm].head_mean for one in heads], _seconds(heads, arm, "head_blocks")),
        )
        for arm in judged
    ]


def _seconds(launches: Sequence[Arms], arm: str, side: str) -> list[float]:
    """Return the blocks that were kept of one side."""
    return [one[arm].base_mean * (1 + mille / PER_MILLE) for one in launches for mille in getattr(one[arm], side)]
