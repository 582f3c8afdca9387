"""Measure a bundle's claims here, in fresh processes, and say of each whether it holds."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bench.evidence.bundle.archive import Bundle
from bench.evidence.bundle.claims import SUPPORTED, Claim, speedup
from bench.gate.baseline import OpenBaseline
from bench.gate.comparison import judge_all
from bench.gate.launch import Launcher, LaunchFailed
from bench.gate.retest import LAUNCHES_TO_CONFIRM, extend
from bench.gate.stats import Interval
from bench.gate.tolerance import typical_variances
from bench.gate.verdict import Change, ScenarioVerdict, Verdict
from bench.harness.environment import differences
from bench.harness.record import Record
from bench.harness.wording import counted


@dataclass(frozen=True, kw_only=True)
class Reproduced:
    """What became of a claim here."""

    claim: Claim
    verdict: Verdict  # OK: it holds; REGRESSED: it does not
    here: Interval | None = None  # the speed-up measured here
    why: str = ""
    change: Change | None = None  # None where the direction alone is compared

    def said(self) -> ScenarioVerdict:
        """Return what is said of the claim's scenario, as exit codes know it."""
        changes = (self.change,) if self.change else ()
        return ScenarioVerdict(scenario=self.claim.scenario, verdict=self.verdict, changes=changes)


def measure(
    bundle: Bundle, launcher: Launcher, *, launches: int, deadline: float, note: Callable[[str], None]
) -> Record | None:
    """Measure the claimed scenarios, all of them in each of several fresh processes, of which at least one is tried.

    Returns:
        All launches that ended in time as one record; None if none did.
    """
    here: Record | None = None
    for number in range(1, launches + 1):
        left = deadline - time.monotonic()
        note(f"launch {number} of {launches}: {counted(len(bundle.node_ids), 'scenario')}, {left:.0f} s left")
        try:
            here = _joined(here, launcher.measure(list(bundle.node_ids.values()), timeout_s=max(1.0, left)))
        except LaunchFailed as failed:
            note(f"launch {number} ended early: {failed}")
            return _joined(here, failed.partial) if failed.partial else here
    return here


def _joined(known: Record | None, new: Record) -> Record:
    """Append a launch to those before; a scenario that one lacks keeps those that it has, none if one is wrong."""
    scenarios, wrong = (dict(known.scenarios), {**known.wrong, **new.wrong}) if known else ({}, dict(new.wrong))
    scenarios.update({name: extend(scenarios.get(name), scenario) for name, scenario in new.scenarios.items()})
    return replace(new, scenarios={name: found for name, found in scenarios.items() if name not in wrong}, wrong=wrong)


def judge(bundle: Bundle, here: Record | None) -> list[Reproduced]:
    """Judge every claim by what was measured on this machine, if anything was.

    Returns:
        On the same kind of machine the ratio must be no worse than claimed, within the tolerance that the bundle's
        own launches give; on another kind, the direction of what was supported must be the same. Of a wrong answer no
        time is taken: it is WRONG.
    """
    known = _known(bundle.record, here) if here and not differences(bundle.record.kind, here.kind) else None
    return [_judged(claim, here, known) for claim in bundle.claims]


def _judged(claim: Claim, here: Record | None, known: Mapping[str, ScenarioVerdict] | None) -> Reproduced:
    if here and (why := here.wrong.get(claim.scenario)):
        return Reproduced(claim=claim, verdict=Verdict.WRONG, why=why)
    scenario = here.scenarios.get(claim.scenario) if here else None
    if scenario is None or claim.against not in scenario.arms:
        return Reproduced(claim=claim, verdict=Verdict.MISSING, why="it was not measured here")
    now = speedup(scenario, claim.against)
    if known is None:
        return Reproduced(claim=claim, verdict=_direction(claim, now), here=now, why="another kind of machine")
    judged = known[claim.scenario]
    change = next((change for change in judged.changes if change.control == claim.control), None)
    if change is None:
        return Reproduced(claim=claim, verdict=judged.verdict, here=now, why=judged.why)
    verdict = Verdict.OK if change.verdict is Verdict.IMPROVED else change.verdict  # faster than claimed holds
    return Reproduced(claim=claim, verdict=verdict, here=now, change=change)


def _known(base: Record, here: Record) -> dict[str, ScenarioVerdict]:
    """Compare with the bundle's launches, by scenario."""
    claimed = {name: scenario for name, scenario in here.scenarios.items() if name in base.scenarios}
    opened = OpenBaseline(record=base, typical=typical_variances(base.scenarios.values()))
    confirmed = all(len(scenario.launch_ids) >= LAUNCHES_TO_CONFIRM for scenario in claimed.values())
    return judge_all(claimed, opened, confirmed=confirmed)[0]


def _direction(claim: Claim, now: Interval) -> Verdict:
    if claim.verdict != SUPPORTED:
        return Verdict.OK  # it claims no direction
    is_faster = claim.speedup.estimate > 1
    if now.low > 1 if is_faster else now.high < 1:
        return Verdict.OK
    return Verdict.REGRESSED if (now.high < 1 if is_faster else now.low > 1) else Verdict.INCONCLUSIVE
