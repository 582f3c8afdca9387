"""What the evidence says of each arm of a scenario or group, and which code the changes point to."""

from collections.abc import Iterable, Sequence

from bench.gate.ab.changes import BASE, MACHINE, is_judged
from bench.gate.ab.tolerances import Limits
from bench.gate.judging import SHARED_SHARE, is_of_neighbour
from bench.gate.stats import Interval, pseudo_median
from bench.gate.verdict import TOLERANCE_CAP, Change, Control, Verdict
from bench.harness.arms import is_moe


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


def attribute(changes: Iterable[Change]) -> str:
    """Name what became slower by which arms moved together: MoE, dense, shared code or the machine; empty if nothing.

    An arm moved with the slowest one if its estimate lies beyond SHARED_SHARE of the other's, which is the likelier of
    "as far" and "not at all"; of the machine, on which a verdict hangs, it is asked that its interval lies above 0 too.
    An arm that is surely slower did unless its neighbour made it.
    """
    changes = list(changes)
    regressed = [c.interval.estimate for c in judged(changes) if c.verdict is Verdict.REGRESSED]
    if not regressed:
        return ""
    moved = {change.control for change in changes if _moved_with(change, max(regressed))}
    if MACHINE in moved:
        return "machine"
    kinds = {is_moe(control.arm) for control in moved if is_judged(control)}
    return "shared code" if len(kinds) == 2 else "MoE" if kinds == {True} else "dense"


def attribute_among(changes: Sequence[Change], wider: Iterable[str]) -> str:
    """Name what became slower, as wider circles know it where an undecided arm leaves it open.

    Args:
        changes: Of one scenario or group.
        wider: What its group and its suite are put down to, the nearest first; their means are less noisy.
    """
    likelier = attribute(changes)
    least = attribute([change for change in changes if change.verdict is not Verdict.INCONCLUSIVE])
    return next((cause for cause in wider if cause in (likelier, least)), likelier)


def _moved_with(change: Change, most: float) -> bool:
    shift = change.interval.estimate
    is_sure = is_judged(change.control) and change.verdict is Verdict.REGRESSED
    is_far = not is_of_neighbour(shift, most) if is_sure else shift > SHARED_SHARE * most
    return is_far and (change.control != MACHINE or change.interval.low > 0)
