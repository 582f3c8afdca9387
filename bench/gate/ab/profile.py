"""Where a slowdown's time went: a regressed scenario once more on both sides, operation by operation.

Shown beside a verdict that stands already. Both sides run the same arm under torch.profiler in turn, in workers of
their own; the profiler slows them, so its times are for comparing with each other alone.
"""

import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scipy import stats as scipy_stats

from bench.gate.ab.channel import Ended, Finish, Go, Profile, Profiled, Warm, WarmUp
from bench.gate.ab.endings import BASE, HEAD
from bench.gate.ab.judging import judged
from bench.gate.ab.pair import DidNotStart, EndedEarly, Timeouts, Workers
from bench.gate.ab.worker_process import Project, Side, WorkerLost
from bench.gate.verdict import Change, ScenarioVerdict, Verdict
from bench.harness.blocks import balanced_orders
from bench.harness.measuring import scenario_of

NUM_CALLS = 7  # of each side: 7 against 7 reach p = 0.0006 where no call of one side is as slow as any of the other
DISTINCT_P = 0.01  # by Mann-Whitney: of a hundred operations that did not change one is shown
MOST_SCENARIOS = 5  # the slowest: each costs the start of two workers
HOST, DEVICE = "CPU", "GPU"


@dataclass(frozen=True, kw_only=True)
class OperationChange:
    """Time of one operation in one call of an arm, median over calls."""

    operation: str
    on: str  # HOST or DEVICE
    base_s: float  # 0 where base does not run it
    head_s: float

    @property
    def change_s(self) -> float:
        """How much longer it takes on head."""
        return self.head_s - self.base_s


@dataclass(frozen=True, kw_only=True)
class ScenarioProfile:
    """What changed within one scenario's slower arm, the largest change first, or why that is not known."""

    scenario: str
    arm: str
    changes: Sequence[OperationChange] = ()
    why: str = ""


def profile_regressed(
    verdicts: Iterable[ScenarioVerdict],
    node_ids: Iterable[str],
    sides_for: Callable[[str], Sequence[Side]],
    project: Project,
) -> Iterator[ScenarioProfile]:
    """Profile the scenarios that regressed, the slowest MOST_SCENARIOS of them, each on the sides that measured it.

    Yields:
        One profile a scenario; a worker that is lost leaves its reason there.
    """
    by_scenario = {scenario_of(node_id): node_id for node_id in node_ids}
    slower = {v.scenario: _slowest(v) for v in verdicts if v.verdict is Verdict.REGRESSED}
    ranked = sorted(slower, key=lambda name: -slower[name].interval.estimate)
    for scenario in ranked[:MOST_SCENARIOS]:
        arm = slower[scenario].control.arm
        try:
            calls = _profiled(by_scenario[scenario], arm, sides_for(scenario), project)
        except (WorkerLost, DidNotStart, OSError) as error:  # lost, or not even started
            yield ScenarioProfile(scenario=scenario, arm=arm, why=str(error))
        except EndedEarly as early:
            said = "; ".join(f"{name}: {ended.why or ended.outcome}" for name, ended in early.ended.items())
            yield ScenarioProfile(scenario=scenario, arm=arm, why=said)
        else:
            why = "" if calls else "it is counted, not timed: there is no operation to blame"
            yield ScenarioProfile(scenario=scenario, arm=arm, changes=operation_changes(calls), why=why)


def _slowest(verdict: ScenarioVerdict) -> Change:
    regressed = [change for change in judged(verdict.changes) if change.verdict is Verdict.REGRESSED]
    return max(regressed, key=lambda change: change.interval.estimate)


def _profiled(node_id: str, arm: str, sides: Sequence[Side], project: Project) -> Sequence[Mapping[str, Profiled]]:
    """Run one arm in turn on both sides; nothing comes of a scenario that is counted.

    Raises:
        DidNotStart: if a side gets no worker.
        WorkerLost: if a worker dies or hangs.
        EndedEarly: if a side does not get as far.
    """
    with Workers(sides, project, Timeouts(), [node_id]) as workers:
        workers.collected()
        workers.choose([node_id])
        ready = workers.set_up(Go())
        if any(side.counts is not None for side in ready.values()):
            workers.abandon()
            return []
        workers.share_cores(0)
        workers.in_turn(WarmUp(), Warm)
        turns = balanced_orders((BASE, HEAD), 1 + NUM_CALLS, random.Random(0))
        calls = [workers.in_turn(Profile(arm=arm), Profiled, turns=turn) for turn in turns]
        workers.in_turn(Finish(), Ended)
        return calls[1:]  # the first one sets the profiler up


def operation_changes(calls: Sequence[Mapping[str, Profiled]]) -> list[OperationChange]:
    """List the operations whose time differs between the sides beyond their calls' spread, the largest change first."""
    found = []
    for on, operation in _operations(calls):
        base, head = ([_seconds(call[side], on).get(operation, 0.0) for call in calls] for side in (BASE, HEAD))
        if scipy_stats.mannwhitneyu(base, head).pvalue < DISTINCT_P:
            base_s, head_s = statistics.median(base), statistics.median(head)
            found.append(OperationChange(operation=operation, on=on, base_s=base_s, head_s=head_s))
    return sorted(found, key=lambda change: -abs(change.change_s))


def _operations(calls: Sequence[Mapping[str, Profiled]]) -> list[tuple[str, str]]:
    """List where and what was run, each once."""
    seen = {
        (on, name) for call in calls for side in call.values() for on in (HOST, DEVICE) for name in _seconds(side, on)
    }
    return sorted(seen)


def _seconds(profiled: Profiled, on: str) -> Mapping[str, float]:
    return profiled.host_s if on == HOST else profiled.device_s
