"""How far a control moved, and how far it may, in words: in percent, or in points where its values are shares."""

import math

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
        return f"{points(change.share, estimate):+z.1f} points"
    if not math.isfinite(estimate):
        return f"{'better' if estimate < 0 else 'worse'} beyond any ratio, for one side is 0"
    if low == high or not with_interval:
        return f"{percent(estimate):+.1f} %"
    if not all(map(math.isfinite, change.interval)):
        return f"{percent(estimate):+.1f} % {NO_BOUNDS}"
    return Interval(*map(percent, change.interval)).text("+.1f", " %")


def bound(change: Change, form: str = ".1f") -> str:
    """Say how far a control may move."""
    if change.share is not None:
        return f"{-points(change.share, change.tolerance):{form}} points"
    return f"{percent(change.tolerance):{form}} %"
