"""Shares of questions, as accuracy is one: told in points, with the intervals of their questions, kept as facts.

Answers are deterministic, so a share has no noise of a launch; its interval says how far the questions may mislead.
"""

import math
from collections.abc import Mapping
from typing import Any

from bench.gate.stats import Interval
from bench.harness.metrics import METRICS

LEVEL, LEAD = "share", "lead"  # of an arm; of an arm over the MoE, question by question
UNIT = "1"  # of the metrics that are shares


def is_share(metric: str) -> bool:
    """Tell whether values of a metric are shares, whose differences are points.

    >>> is_share("accuracy"), is_share("peak_bytes")
    (True, False)
    """
    return METRICS[metric].unit == UNIT


def facts_of(levels: Mapping[str, Interval], leads: Mapping[str, Interval]) -> dict[str, float]:
    """Return what a record keeps of shares.

    Args:
        levels: of each arm.
        leads: of each other arm over the MoE, paired by question.
    """
    named = {f"{LEVEL}:{arm}": found for arm, found in levels.items()}
    named |= {f"{LEAD}:{arm}": found for arm, found in leads.items()}
    return {f"{name}:{field}": value for name, found in named.items() for field, value in found._asdict().items()}


def interval_of(facts: Mapping[str, Any], kind: str, arm: str) -> Interval | None:
    """Return the interval that a record keeps, LEVEL or LEAD; nothing in records that are older than it."""
    names = [f"{kind}:{arm}:{field}" for field in Interval._fields]
    return Interval(*(facts[name] for name in names)) if all(name in facts for name in names) else None


def points(base: float, log_ratio: float) -> float:
    """Return the change of a share in points, above 0 where it grows.

    Args:
        base: the share that it is a change of.
        log_ratio: log(base / new), above 0 where the share falls.

    >>> round(points(0.8, math.log(0.8 / 0.6)), 6)
    -20.0
    """
    return 100 * base * math.expm1(-log_ratio)
