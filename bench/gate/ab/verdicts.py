"""From launches of base and head to a verdict for each scenario and group: pure functions, no clock, no files.

Asked after every launch. What has passed stays so: the evidence holds over all looks.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.gate.ab.boundary import boundary
from bench.gate.ab.causes import attribute, caused, leaves_open, with_causes
from bench.gate.ab.changes import MACHINE, launch_changes
from bench.gate.ab.evidence import PRIOR, Evidence, weigh
from bench.gate.ab.judging import counted_change, judged, timed_change
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.noise import MEASURED, Prior
from bench.gate.ab.panel import Panel, panel_of
from bench.gate.ab.tolerances import DEFAULT_LIMITS, NO_LIMITS, Limits, limit_of
from bench.gate.groups import SUITE
from bench.gate.shares import is_share
from bench.gate.stats import Interval, percent
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict, worst

PLACEBO_EVERY, FIRST_PLACEBO = 4, 1  # early: nothing is decided before base has met itself
UNDECIDED, PASSED = (Verdict.INCONCLUSIVE, Verdict.UNFIT), (Verdict.OK, Verdict.IMPROVED)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is said after some launches."""

    scenarios: Sequence[ScenarioVerdict]  # in the order of measurement
    groups: Sequence[ScenarioVerdict]  # benchmarks at a scale, then the suite; named as groups are
    evidence: Evidence | None  # None where nothing was timed
    open_causes: frozenset[str] = frozenset()  # scenarios that are slower by what more launches may tell

    @property
    def open_scenarios(self) -> set[str]:
        """Name the scenarios that more launches may decide."""
        return {verdict.scenario for verdict in self.scenarios if verdict.verdict in UNDECIDED}


def is_placebo(number: int) -> bool:
    """Tell whether the launch of this number, from 0, has base on both sides.

    >>> [number for number in range(12) if is_placebo(number)]
    [1, 5, 9]
    """
    return number % PLACEBO_EVERY == FIRST_PLACEBO


def settled(before: Judgement, now: Judgement) -> Judgement:
    """Return what is said now, where nothing that has passed is open again.

    A limit that held at an earlier look holds over all of them; that launches have become noisier since takes nothing
    from it. What is REGRESSED now is said, whatever was said before.
    """
    scenarios, groups = _settled(before.scenarios, now.scenarios), _settled(before.groups, now.groups)
    return replace(now, scenarios=scenarios, groups=groups)


def _settled(before: Iterable[ScenarioVerdict], now: Iterable[ScenarioVerdict]) -> list[ScenarioVerdict]:
    passed = {one.scenario: one for one in before if one.verdict in PASSED}
    return [passed.get(one.scenario, one) if one.verdict in UNDECIDED else one for one in now]


def decide(
    launches: Sequence[PairedLaunch],
    *,
    troubles: Iterable[Trouble] = (),
    limits: Mapping[str, Limits] = NO_LIMITS,
    prior: Prior = MEASURED,
) -> Judgement:
    """Judge every scenario that was measured or met trouble; the more severe of trouble and verdict stands.

    Args:
        launches: in the order of measurement, placebos among them.
        troubles: of any launch.
        limits: by scenario, where they are not the default.
        prior: what is known of this machine's noise.
    """
    panel = panel_of(launches)
    effects_S = np.array([limit_of(name, limits).smallest_effect for name in panel.scenarios])
    evidence = weigh(panel, effects_S, prior) if panel.scenarios else None
    groups = _groups(evidence) if evidence else []
    timed = _timed(launches, panel, evidence, limits, groups) if evidence else {}
    groups = with_causes([_with_members(group, panel, timed) for group in groups])
    of_group = dict(zip(panel.scenarios, panel.group_of_S, strict=True))
    circles = {name: [group for group in groups if group.scenario in (of_group[name], SUITE)] for name in timed}
    timed = {name: caused(one, circles[name]) for name, one in timed.items()}
    found = {**timed, **_counted(launches, limits)}
    order = dict.fromkeys(launch.scenario for launch in launches if launch.scenario in found)
    merged = _with_troubles({name: found[name] for name in order}, troubles)
    open_causes = frozenset(name for name, one in timed.items() if leaves_open(one, circles[name]))
    return Judgement(scenarios=list(merged.values()), groups=groups, evidence=evidence, open_causes=open_causes)


def _groups(evidence: Evidence) -> list[ScenarioVerdict]:
    """Judge each group by its arms."""
    by_group: dict[str, list[Change]] = {}
    launches: dict[str, int] = {}
    for one in evidence.groups:
        change = timed_change(one.arm, one.interval, one.interval.high, DEFAULT_LIMITS, is_slower=one.is_slower)
        by_group.setdefault(one.group, []).append(change)
        launches[one.group] = max(launches.get(one.group, 0), one.num_launches)
    return [
        ScenarioVerdict(
            scenario=group,
            verdict=worst(change.verdict for change in changes),
            where=attribute(changes),
            changes=tuple(changes),
            num_launches=launches[group],
        )
        for group, changes in by_group.items()
    ]


def _with_members(group: ScenarioVerdict, panel: Panel, found: Mapping[str, ScenarioVerdict]) -> ScenarioVerdict:
    """Let what is undecided of a group be what all its scenarios are: a mean lies among what it is the mean of."""
    members = [
        found[name]
        for name, own in zip(panel.scenarios, panel.group_of_S, strict=True)
        if name in found and group.scenario in (own, SUITE)
    ]
    changes = tuple(_with_arms(change, members) for change in group.changes)
    verdict = worst(change.verdict for change in changes)
    return replace(group, changes=changes, verdict=verdict, where=attribute(changes))


def _with_arms(change: Change, members: Iterable[ScenarioVerdict]) -> Change:
    """Decide one arm of a group by its scenarios, where they agree."""
    alike = [one.verdict for member in members for one in member.changes if one.control == change.control]
    if change.verdict not in UNDECIDED or not alike:
        return change
    if all(verdict is Verdict.REGRESSED for verdict in alike):
        return replace(change, verdict=Verdict.REGRESSED)
    is_excluded = all(verdict in (Verdict.OK, Verdict.IMPROVED) for verdict in alike)
    return replace(change, verdict=Verdict.OK) if is_excluded else change


def _timed(
    launches: Sequence[PairedLaunch],
    panel: Panel,
    evidence: Evidence,
    limits: Mapping[str, Limits],
    groups: Sequence[ScenarioVerdict],
) -> dict[str, ScenarioVerdict]:
    slower = {(g.scenario, c.control.arm) for g in groups for c in g.changes if c.verdict is Verdict.REGRESSED}
    anchors = _anchors(launches)
    found = {}
    for s, name in enumerate(panel.scenarios):
        limit, changes = limit_of(name, limits), []
        for a, arm in enumerate(panel.arms):
            if math.isnan(evidence.estimate_SA[s, a]):
                continue
            estimate, half = float(evidence.estimate_SA[s, a]), float(evidence.half_width_SA[s, a])
            # once its group is known to be slower, a scenario needs no more than its own interval
            with_group = {(panel.group_of_S[s], arm), (SUITE, arm)} & slower
            is_slower = bool(evidence.is_slower_SA[s, a])
            is_slower |= bool(with_group) and estimate > max(half, limit.smallest_effect)
            interval = Interval(estimate, estimate - half, estimate + half)
            upper = float(evidence.upper_SA[s, a])
            changes.append(timed_change(arm, interval, upper, limit, is_slower=is_slower))
        if not changes:
            continue  # only placebos so far
        if anchor := anchors.get(name):
            changes.append(_anchor_change(anchor, evidence))
        found[name] = _scenario_verdict(name, changes, evidence.num_launches_S[s])
    return found


def _counted(launches: Iterable[PairedLaunch], limits: Mapping[str, Limits]) -> dict[str, ScenarioVerdict]:
    """Judge what is counted, by its real launches."""
    groups: dict[str, list[PairedLaunch]] = {}
    for launch in launches:
        if launch.counted and not launch.is_placebo:
            groups.setdefault(launch.scenario, []).append(launch)
    found = {}
    for name, group in groups.items():
        values, limit = [launch_changes(launch) for launch in group], limit_of(name, limits)
        changes = [
            counted_change(control, [one[control] for one in values], limit, share=_share(group[0], control))
            for control in values[0]
        ]
        found[name] = _scenario_verdict(name, changes, len(group))
    return found


def _share(launch: PairedLaunch, control: Control) -> float | None:
    """Return the share that an arm has on base, where its values are shares."""
    return launch.arms[control.arm][0][0] if launch.metric and is_share(launch.metric) else None


def _anchors(launches: Iterable[PairedLaunch]) -> dict[str, list[float]]:
    """Return what the anchor did in the real launches of each scenario."""
    found: dict[str, list[float]] = {}
    for launch in launches:
        if not launch.is_placebo and not launch.counted and MACHINE.arm in launch.arms:
            found.setdefault(launch.scenario, []).append(launch_changes(launch)[MACHINE])
    return found


def _anchor_change(values: Sequence[float], evidence: Evidence) -> Change:
    mean = float(np.mean(values))
    half = float(boundary(len(values), 0.025, PRIOR)) * max(evidence.noise.spread, float(np.std(values)))
    return timed_change(
        MACHINE.arm, Interval(mean, mean - half, mean + half), mean + half, DEFAULT_LIMITS, is_slower=False
    )


def _scenario_verdict(name: str, changes: Sequence[Change], num_launches: int) -> ScenarioVerdict:
    verdict, where, why = worst(change.verdict for change in judged(changes)), attribute(changes), ""
    if where == "machine":
        moved = next(change.interval.estimate for change in changes if change.control == MACHINE)
        verdict = Verdict.UNFIT
        why = (
            f"the anchor, which no code of ours touches, moved by {percent(moved):+.1f} % too: the machine did, or "
            "head slows its whole process; run again"
        )
    return ScenarioVerdict(
        scenario=name, verdict=verdict, where=where, why=why, changes=tuple(changes), num_launches=num_launches
    )


def _with_troubles(found: Mapping[str, ScenarioVerdict], troubles: Iterable[Trouble]) -> dict[str, ScenarioVerdict]:
    """Let a scenario's trouble replace its verdict where it is more severe, or where there is no verdict."""
    merged = dict(found)
    for trouble in troubles:
        said = merged.get(trouble.scenario)
        if said is None or said.verdict is not worst([said.verdict, trouble.verdict]):
            seen = said or ScenarioVerdict(scenario=trouble.scenario, verdict=trouble.verdict, num_launches=0)
            merged[trouble.scenario] = replace(seen, verdict=trouble.verdict, where="", why=trouble.why)
    return merged
