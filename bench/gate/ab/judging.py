"""What a scenario's launches say of each control, and which code their changes point to."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from bench.gate.ab.changes import MACHINE, Series, is_judged
from bench.gate.ab.exact import signed_rank_interval, upper_limit
from bench.gate.ab.tolerances import Limits
from bench.gate.judging import SHARED_SHARE
from bench.gate.verdict import Change, Control, Verdict
from bench.harness.arms import PRIMARY

FALSE_ALARM = 0.05  # chance that a suite of unchanged scenarios holds any REGRESSED
SUSPECT_SHARE = 0.75  # of the smallest effect, about 1.5 %: beyond it stage 1 asks for a test on fresh launches


def changes_of(
    series: Series, limit: Limits, p_values: Mapping[tuple[str, Control], float] = MappingProxyType({})
) -> list[Change]:
    """Judge each control of a scenario by itself; without a p value, of fresh launches, no timed one is REGRESSED.

    Returns:
        Changes whose tolerance is the smallest change that these launches could have shown: the distance from estimate
        to lower limit, at least the smallest effect.
    """
    if series.counted:
        return [_counted_change(control, values, limit) for control, values in series.values.items()]
    return [
        _timed_change(control, values, limit, p_values.get((series.scenario, control), 1.0))
        for control, values in series.values.items()
    ]


def _timed_change(control: Control, values: Sequence[float], limit: Limits, p: float) -> Change:
    interval = signed_rank_interval(values)
    is_excluded = upper_limit(values) < limit.tolerance
    if p < FALSE_ALARM and interval.low > 0 and interval.estimate > limit.smallest_effect:
        verdict = Verdict.REGRESSED
    elif interval.high < -limit.smallest_effect:
        verdict = Verdict.IMPROVED
    else:
        verdict = Verdict.OK if is_excluded else Verdict.INCONCLUSIVE
    return Change(
        control=control,
        interval=interval,
        tolerance=max(limit.smallest_effect, interval.estimate - interval.low),
        verdict=verdict,
        suspect=interval.estimate > SUSPECT_SHARE * limit.smallest_effect,
    )


def _counted_change(control: Control, values: Sequence[float], limit: Limits) -> Change:
    """Judge what is counted: the range of the launches is the interval, and no chance is involved."""
    interval = signed_rank_interval(values)._replace(low=min(values), high=max(values))
    if interval.low > limit.smallest_effect:
        verdict = Verdict.REGRESSED
    elif interval.high < -limit.smallest_effect:
        verdict = Verdict.IMPROVED
    else:
        verdict = Verdict.OK if interval.high < limit.tolerance else Verdict.INCONCLUSIVE
    return Change(control=control, interval=interval, tolerance=limit.smallest_effect, verdict=verdict, suspect=False)


def judged(changes: Iterable[Change]) -> list[Change]:
    """Keep the changes that decide a verdict; the others say where it comes from."""
    return [change for change in changes if is_judged(change.control)]


def attribute(changes: Iterable[Change]) -> str:
    """Name what became slower by which arms moved together: MoE, dense, shared code or the machine; empty if nothing.

    An arm moved with the slowest one if its interval lies above 0 and its estimate beyond SHARED_SHARE of the other's.
    """
    changes = list(changes)
    regressed = [c.interval.estimate for c in judged(changes) if c.verdict is Verdict.REGRESSED]
    if not regressed:
        return ""
    far = SHARED_SHARE * max(regressed)
    moved = {c.control for c in changes if c.interval.low > 0 and c.interval.estimate > far}
    if MACHINE in moved:
        return "machine"
    is_moe = {control.arm == PRIMARY for control in moved if is_judged(control)}
    return "shared code" if len(is_moe) == 2 else "MoE" if is_moe == {True} else "dense"
