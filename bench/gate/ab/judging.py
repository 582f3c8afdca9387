"""What the evidence says of each arm of a scenario or group."""

from collections.abc import Iterable, Sequence

from bench.gate.ab.changes import BASE, is_judged
from bench.gate.ab.tolerances import Limits
from bench.gate.stats import Interval, pseudo_median
from bench.gate.verdict import TOLERANCE_CAP, Change, Control, Verdict


def timed_change(arm: str, interval: Interval, upper: float, limit: Limits, *, is_slower: bool) -> Change:
    """Judge one arm.

    Args:
        arm: its name.
        interval: log ratio to base with its 95 % limits over all looks.
        upper: one-sided 95 % limit.
        limit: what is asked of the scenario.
        is_slower: whether the evidence claims a slowdown.

    Returns:
        A change whose tolerance is the smallest change that could have been seen, at least the smallest effect.
        REGRESSED goes before OK where both hold.
    """
    if is_slower:
        verdict = Verdict.REGRESSED
    elif interval.high < -limit.smallest_effect:
        verdict = Verdict.IMPROVED
    else:
        verdict = Verdict.OK if upper < min(limit.tolerance, TOLERANCE_CAP) else Verdict.INCONCLUSIVE
    control = Control(arm=arm, against=BASE)
    return Change(
        control=control,
        interval=interval,
        tolerance=max(limit.smallest_effect, interval.estimate - interval.low),
        verdict=verdict,
        suspect=False,  # all are measured on until they are decided
        decides=is_judged(control),
        limit=limit.tolerance,
    )


def counted_change(control: Control, values: Sequence[float], limit: Limits, *, share: float | None = None) -> Change:
    """Judge what is counted: the range of the launches is the interval, and no chance is involved.

    Args:
        control: what is judged.
        values: log ratios, one a launch.
        limit: what is asked of the scenario.
        share: of base, where the values are shares: then it is told in points.
    """
    interval = Interval(pseudo_median(values), min(values), max(values))
    if interval.low > limit.smallest_effect:
        verdict = Verdict.REGRESSED
    elif interval.high < -limit.smallest_effect:
        verdict = Verdict.IMPROVED
    else:
        verdict = Verdict.OK if interval.high < limit.tolerance else Verdict.INCONCLUSIVE
    return Change(
        control=control,
        interval=interval,
        tolerance=limit.smallest_effect,
        verdict=verdict,
        suspect=False,
        decides=is_judged(control),
        share=share,
    )


def judged(changes: Iterable[Change]) -> list[Change]:
    """Keep the changes that decide a verdict; the others say where it comes from."""
    return [change for change in changes if is_judged(change.control)]
