"""Judge a run in two steps: the first launch of everything raises suspicion, and fresh launches decide it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from bench.gate.baseline import OpenBaseline
from bench.gate.comparison import judge_all
from bench.gate.judging_groups import judge_groups
from bench.gate.unrest import widest
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.record import Scenario

# Measures suspects, of them groups, again: what fresh launches say of both, and the scenarios that were measured.
Confirm = Callable[
    [Sequence[str], Sequence[str], OpenBaseline], tuple[dict[str, ScenarioVerdict], Mapping[str, Scenario]]
]


def judge_run(
    scenarios: Mapping[str, Scenario], opened: OpenBaseline, confirm: Confirm, note: Callable[[str], None]
) -> tuple[dict[str, ScenarioVerdict], dict[str, ScenarioVerdict]]:
    """Judge a run's first launch, have `confirm` measure what looks slow again, and judge that.

    Returns:
        The verdicts of scenarios and of groups.
    """
    verdicts, opened = judge_all(scenarios, opened)
    groups = judge_groups(scenarios, opened, opened.groups)
    if (factor := widest(opened.unrest)) > 1:
        note(f"scenarios spread {factor:.1f} times as far as in the baseline: tolerances are wider by as much")
    order = sorted(verdicts, key=lambda name: suspicion(verdicts[name]), reverse=True)
    suspects = [name for name in order if is_suspect(verdicts[name], opened)]
    suspect_groups = [name for name, group in groups.items() if looks_slow(group, opened)]
    if suspects or suspect_groups:
        needed = {name for group in suspect_groups for name in opened.groups[group]}
        again = [*suspects, *(name for name in order if name in needed and name not in suspects)]
        said, fresh = confirm(again, suspect_groups, opened)
        # where no fresh launch could say anything, what made it a suspect is all that is known of it
        said = {
            name: replace(new, changes=new.changes or {**verdicts, **groups}[name].changes)
            for name, new in said.items()
        }
        groups.update({name: said.pop(name) for name in suspect_groups})
        verdicts.update({name: new for name, new in said.items() if _stands(new, verdicts[name], suspects, fresh)})
    return verdicts, groups


def is_suspect(verdict: ScenarioVerdict, opened: OpenBaseline) -> bool:
    """Tell whether a first launch must be repeated before anything is said: it looks slow, or too noisy to judge.

    What is counted never is: it would be the same.
    """
    if verdict.verdict in (Verdict.NEW, Verdict.NOT_COMPARABLE) or verdict.is_counted:
        return False
    return verdict.verdict is Verdict.UNFIT or looks_slow(verdict, opened)


def looks_slow(verdict: ScenarioVerdict, opened: OpenBaseline) -> bool:
    """Tell whether a slowdown is seen, or cannot be excluded, by a control that decides."""
    judged = [change for change in verdict.changes if opened.decides_by(change.control)]
    return any(change.suspect or change.verdict is Verdict.INCONCLUSIVE for change in judged)


def suspicion(verdict: ScenarioVerdict) -> float:
    """Return the largest change in tolerances, by which suspects are ranked; 0 for what could not be judged."""
    return max((change.interval.estimate / change.tolerance for change in verdict.changes), default=0.0)


def _stands(said: ScenarioVerdict, first: ScenarioVerdict, suspects: Collection[str], fresh: Collection[str]) -> bool:
    """Tell whether what fresh launches say of a scenario replaces what the first launch said.

    A throttled one stays UNFIT unless a fresh launch has measured it, or found its answer wrong. One that was measured
    again only for its group's sake keeps its verdict unless there is a clearer one.
    """
    if first.verdict is Verdict.UNFIT:
        return said.scenario in fresh or said.verdict is Verdict.WRONG
    return said.scenario in suspects or said.verdict is not Verdict.INCONCLUSIVE
