"""Measure suspects again, each time in a fresh process, until they are confirmed or cleared or the time is up.

A first launch that looks slow was picked because it looks slow, so it does not count: only fresh launches do. A suspect
group is measured again by all of its scenarios, for those that stay open are no fair sample of it. Where the time left
cannot serve all suspects, the most suspicious ones are confirmed rather than all of them half measured.
"""

import itertools
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from bench.gate.baseline import OpenBaseline
from bench.gate.comparison import judge_one, wrong_scenarios
from bench.gate.judging_groups import judge_groups
from bench.gate.launch import Launcher, LaunchFailed
from bench.gate.tolerance import RUN_SHARE
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.record import ArmSeries, Record, Scenario
from bench.harness.run import ScenarioTest
from bench.harness.wording import counted

LAUNCHES_TO_CONFIRM = 2  # one fresh process may meet the same bad moment; two rarely do
LAUNCHES_TO_SETTLE = 4  # of a slowdown that is not decisive, where there is time: two may meet the same bad moment
DECISIVE = 1.5  # times the tolerance
SMALL = math.log(1.08)  # with time left, an OK is not settled before a slowdown of this size is excluded
MAX_LAUNCHES = 10  # what is not clear by then is said to be inconclusive
STARTUP_S = 12.0  # of a fresh process: imports, peaks, the first model
MIN_PACE = 0.5  # of the expected seconds: one lucky launch does not make all later ones short
LEAST_S = 1.0  # for a process on a second device, when the first took longer than expected
LAUNCH_MARGIN = 1.02  # a launch is begun if slightly more than it should take is left


def retest(
    suspects: Mapping[str, ScenarioTest],
    opened: OpenBaseline,
    launcher: Launcher,
    *,
    groups: Collection[str] = (),
    deadline: float,
    on_launch: Callable[[int, int], None],
) -> tuple[dict[str, ScenarioVerdict], dict[str, Scenario]]:
    """Confirm or clear suspects, given the most suspicious first.

    Args:
        suspects: by scenario id, with the seconds expected in a fresh launch, without the launch's start.
        opened: the baseline.
        launcher: starts fresh processes.
        groups: which groups are suspects too; their scenarios are among `suspects`.
        deadline: on the monotonic clock, in seconds.
        on_launch: told (number of the launch, scenarios in it) before each.

    Returns:
        A verdict for each suspect (with the reason: INCONCLUSIVE where time ran out, FAILED where a process died, WRONG
        where one answered wrongly) and each suspect group, and the scenarios' fresh launches.
    """
    fresh: dict[str, Scenario] = {}
    verdicts: dict[str, ScenarioVerdict] = {}
    open_, pace, failure = dict(suspects), 1.0, None
    for number in itertools.count(1):
        started = time.monotonic()
        batch = affordable(open_, fresh, (deadline - started) / pace)
        if not batch:
            break
        on_launch(number, len(batch))
        records, failure = _launch(launcher, [open_[s] for s in batch], deadline)
        measured = {name: scenario for record in records for name, scenario in record.scenarios.items()}
        for scenario_id, scenario in measured.items():
            fresh[scenario_id] = extend(fresh.get(scenario_id), scenario)
            verdicts[scenario_id] = judge_one(fresh[scenario_id], opened, confirmed=True)
        if not failure:
            verdicts.update({s: not_measured(s, records) for s in batch if s not in measured})
        for wrong in (wrong for record in records for wrong in wrong_scenarios(record)):  # whatever others measured
            verdicts[wrong.scenario] = replace(wrong, why=f"in a fresh launch: {wrong.why}")
        verdicts.update(judge_groups(fresh, opened, groups, confirmed=True))
        open_ = _still_open(open_, verdicts, {group: opened.groups[group] for group in groups})
        if failure:
            break
        pace = max(MIN_PACE, (time.monotonic() - started) / expected_s(suspects, batch))
    concluded = {s: conclusion(s, verdicts.get(s), failure) for s in (*suspects, *groups)}
    return corroborated(concluded, verdicts), fresh


def _still_open(
    open_: Mapping[str, ScenarioTest],
    verdicts: Mapping[str, ScenarioVerdict],
    groups: Mapping[str, Collection[str]],
) -> dict[str, ScenarioTest]:
    """Keep suspects that are not done, and those that a group needs which is not done, unless they cannot be had."""
    done = {name for name, verdict in verdicts.items() if is_done(verdict)}
    lost = {name for name, verdict in verdicts.items() if verdict.why and verdict.verdict is not Verdict.UNFIT}
    open_groups = [members for group, members in groups.items() if group in verdicts and group not in done]
    needed = {name for members in open_groups for name in members} - lost
    return {name: suspect for name, suspect in open_.items() if name not in done or name in needed}


def _launch(
    launcher: Launcher, suspects: Sequence[ScenarioTest], deadline: float
) -> tuple[list[Record], LaunchFailed | None]:
    """Measure in a fresh process on each device; a launch that failed may still have measured some of it."""
    records: list[Record] = []
    for device in dict.fromkeys(suspect.device for suspect in suspects):
        node_ids = [suspect.node_id for suspect in suspects if suspect.device == device]
        timeout_s = max(LEAST_S, deadline - time.monotonic())
        try:
            records.append(launcher.on(device).measure(node_ids, timeout_s=timeout_s))
        except LaunchFailed as error:
            return [*records, error.partial] if error.partial else records, error
    return records, None


def affordable(open_: Mapping[str, ScenarioTest], begun: Mapping[str, object], left_s: float) -> list[str]:
    """Choose whom the next launch measures: those begun, then the most suspicious, as many as the time can confirm.

    >>> two = {s: ScenarioTest(node_id=s, seconds=10) for s in "ab"}
    >>> affordable(two, {}, left_s=100), affordable(two, {}, left_s=50), affordable(two, {"b": 1}, left_s=30)
    (['a', 'b'], ['a'], ['b'])
    """
    ordered = sorted(open_, key=lambda scenario_id: scenario_id not in begun)
    for size in range(len(ordered), 0, -1):
        batch = ordered[:size]
        num_launches = 1 if batch[-1] in begun else LAUNCHES_TO_CONFIRM
        if LAUNCH_MARGIN * num_launches * expected_s(open_, batch) < left_s:
            return batch
    return []


def expected_s(suspects: Mapping[str, ScenarioTest], batch: list[str]) -> float:
    """Return the seconds that a fresh launch should take on a machine as busy as during the run."""
    num_processes = len({suspects[scenario_id].device for scenario_id in batch})
    return num_processes * STARTUP_S + sum(suspects[scenario_id].seconds for scenario_id in batch)


def extend(known: Scenario | None, fresh: Scenario) -> Scenario:
    """Append the fresh launches of a scenario to those already there."""
    if known is None:
        return fresh
    arms: dict[str, ArmSeries] = {
        arm: structs.replace(series, launches=(*known.arms[arm].launches, *series.launches))
        for arm, series in fresh.arms.items()
    }
    return replace(fresh, arms=arms)


def is_done(verdict: ScenarioVerdict) -> bool:
    """Tell whether another launch would change nothing: settled, given up, or for a reason other than noise."""
    given_up = verdict.num_launches >= MAX_LAUNCHES
    return is_settled(verdict) or given_up or (bool(verdict.why) and verdict.verdict is not Verdict.UNFIT)


def is_settled(verdict: ScenarioVerdict) -> bool:
    """Tell whether fresh launches have said enough, and neither inconclusive nor unfit.

    Unless a slowdown is far beyond the tolerance, LAUNCHES_TO_SETTLE must confirm it. An OK that leaves room for a
    slowdown that matters is not enough, where more launches can narrow it.
    """
    if verdict.num_launches < LAUNCHES_TO_CONFIRM:
        return False
    if verdict.verdict is Verdict.REGRESSED:
        return verdict.num_launches >= LAUNCHES_TO_SETTLE or is_decisive(verdict)
    if verdict.verdict is Verdict.OK:
        return all(c.interval.high < SMALL for c in verdict.changes if RUN_SHARE[c.control.kind] < 1)
    return verdict.verdict is not Verdict.INCONCLUSIVE and verdict.verdict is not Verdict.UNFIT


def is_decisive(verdict: ScenarioVerdict) -> bool:
    """Tell whether a control is far beyond its tolerance."""
    return any(change.interval.estimate > DECISIVE * change.tolerance for change in verdict.changes)


def conclusion(scenario_id: str, known: ScenarioVerdict | None, failure: LaunchFailed | None) -> ScenarioVerdict:
    """Return what is finally said of a suspect, with the reason if it is neither confirmed nor cleared.

    A slowdown that enough launches have shown stands although there was no time for one more.
    """
    known = known or ScenarioVerdict(scenario=scenario_id, verdict=Verdict.INCONCLUSIVE, num_launches=0)
    confirmed = known.verdict is Verdict.REGRESSED and known.num_launches >= LAUNCHES_TO_CONFIRM
    cleared = known.verdict is Verdict.OK and known.num_launches >= LAUNCHES_TO_CONFIRM
    if confirmed or cleared or known.why or is_settled(known):
        return known
    if known.num_launches >= MAX_LAUNCHES:
        return replace(known, why=f"still unclear after {MAX_LAUNCHES} fresh launches")
    if failure:
        return replace(known, verdict=failure.verdict, why=str(failure))
    why = f"the time budget ended after {counted(known.num_launches, 'fresh launch')}; raise --time-budget"
    return replace(known, verdict=Verdict.INCONCLUSIVE, why=why)


def corroborated(
    concluded: Mapping[str, ScenarioVerdict], seen: Mapping[str, ScenarioVerdict]
) -> dict[str, ScenarioVerdict]:
    """Let a decisive slowdown in a single fresh launch stand where others of the same run were confirmed.

    The run fails by those already, so this raises no false alarm: it names what else is slow when time ran out.
    """
    if not any(verdict.verdict is Verdict.REGRESSED for verdict in concluded.values()):
        return dict(concluded)
    decisive = {s: v for s, v in seen.items() if v.verdict is Verdict.REGRESSED and is_decisive(v)}
    return {
        scenario_id: decisive.get(scenario_id, verdict) if verdict.verdict is Verdict.INCONCLUSIVE else verdict
        for scenario_id, verdict in concluded.items()
    }


def not_measured(scenario_id: str, records: Iterable[Record]) -> ScenarioVerdict:
    """Say why a fresh launch has left a suspect out: no memory for it now, or it failed."""
    if reason := next((found for record in records if (found := record.why_not_fitting().get(scenario_id))), ""):
        why = f"a fresh launch could not measure it: {reason}"
        return ScenarioVerdict(scenario=scenario_id, verdict=Verdict.INCONCLUSIVE, why=why)
    why = "it failed in a fresh launch; run it alone to see how"
    return ScenarioVerdict(scenario=scenario_id, verdict=Verdict.FAILED, why=why)
