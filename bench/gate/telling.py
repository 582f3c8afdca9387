"""How far a control moved, and how far it may, in words: in percent, or in points where its values are shares."""

import math
from typing import Any

from bench.gate.shares import points
from bench.gate.stats import Interval, percent
from bench.gate.verdict import Change

NO_BOUNDS = "[no bounds yet]"


def moved(change: Change, *, with_interval: bool = True) -> str:
    """Say how far a control moved: in percent, above 0 is worse; in points, below 0 is worse.

    What is counted moved by exactly that, and has no interval; what has no bounds yet says so.
    """
    estimate, low, high = change.interval
    if change.share is not None:
        return told(estimate, change.share)
    if not math.isfinite(estimate):
        return f"{'better' if estimate < 0 else 'worse'} beyond any ratio, for one side is 0"
    if low == high or not with_interval:
        return told(estimate)
    if not all(map(math.isfinite, change.interval)):
        return f"{told(estimate)} {NO_BOUNDS}"
    return Interval(*map(percent, change.interval)).text("+.1f", " %")


def told(log_ratio: float, share: float | None = None) -> str:
    """Say a change without its interval, by the log ratio whose side above 0 is worse.

    Args:
        log_ratio: of now to then.
        share: that it was, where it is one.

    >>> told(0.0953102), told(0.1053605, 0.8)
    ('+10.0 %', '-8.0 points')
    """
    return f"{percent(log_ratio):+.1f} %" if share is None else f"{points(share, log_ratio):+z.1f} points"


def bound(change: Change, form: str = ".1f") -> str:
    """Say how far a control may move."""
    if change.share is not None:
        return f"{-points(change.share, change.tolerance):{form}} points"
    return f"{percent(change.tolerance):{form}} %"


def plain(change: Change) -> dict[str, Any]:
    """Return what documents and pages keep of a change: its log ratio, None where one side is 0, and its words."""
    estimate = change.interval.estimate
    return {
        "control": str(change.control),
        "log_ratio": estimate if math.isfinite(estimate) else None,
        "said": moved(change),
        "bound": bound(change),
        "verdict": change.verdict.value,
    }
