"""What a slowdown is put down to: which arms moved together, in a scenario and in what it is part of."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.gate.ab.changes import MACHINE, is_judged
from bench.gate.ab.judging import judged
from bench.gate.groups import SUITE
from bench.gate.judging import SHARED_SHARE, is_of_neighbour
from bench.gate.telling import moved
from bench.gate.verdict import Change, ScenarioVerdict, Verdict
from bench.harness.arms import is_moe


def with_causes(groups: Sequence[ScenarioVerdict]) -> list[ScenarioVerdict]:
    """Let the suite say what a group leaves open."""
    suite = [group for group in groups if group.scenario == SUITE]
    return [group if group.scenario == SUITE else caused(group, suite) for group in groups]


def caused(found: ScenarioVerdict, wider: Sequence[ScenarioVerdict]) -> ScenarioVerdict:
    """Put a slowdown down to what its wider circles say, where an arm of its own is undecided; tell what stays open."""
    if found.verdict is not Verdict.REGRESSED:
        return found
    undecided = leaves_open(found, wider)
    told = " and ".join(f"{change.control.arm} {moved(change)}" for change in undecided)
    why = f"it is undecided whether another arm moved as well: {told}" if undecided else found.why
    return replace(found, where=attribute_among(found.changes, [circle.where for circle in wider]), why=why)


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


def leaves_open(found: ScenarioVerdict, wider: Iterable[ScenarioVerdict] = ()) -> list[Change]:
    """Return the undecided arms on which it hangs what a slowdown is put down to; none where nothing is open.

    Args:
        found: Of one scenario or group.
        wider: Its group and its suite: what one of them knows is not open.
    """
    is_known = any(circle.where and not leaves_open(circle) for circle in wider)
    if found.verdict is not Verdict.REGRESSED or is_known:
        return []
    low, high = (attribute([_at(end, change) for change in found.changes]) for end in ("low", "high"))
    undecided = [change for change in judged(found.changes) if change.verdict is Verdict.INCONCLUSIVE]
    return undecided if low != high else []


def _at(end: str, change: Change) -> Change:
    """Return an undecided arm as if its estimate lay at an end of its interval."""
    if change.verdict is not Verdict.INCONCLUSIVE:
        return change
    return replace(change, interval=change.interval._replace(estimate=getattr(change.interval, end)))


def _moved_with(change: Change, most: float) -> bool:
    shift = change.interval.estimate
    is_sure = is_judged(change.control) and change.verdict is Verdict.REGRESSED
    is_far = not is_of_neighbour(shift, most) if is_sure else shift > SHARED_SHARE * most
    return is_far and (change.control != MACHINE or change.interval.low > 0)
