"""From launches of base and head to a verdict for each scenario: pure functions, no clock, no files.

Stage 1 measures everything a few times and can only clear a scenario or raise suspicion. Suspects get fresh launches in
stage 2 and are judged on those alone, because stage 1 picked them for looking slow. Nothing is assumed of the noise but
that base and head stand in for each other when nothing changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from bench.gate.ab.changes import MACHINE, Series, series_of
from bench.gate.ab.exact import holm, sign_flip_p
from bench.gate.ab.judging import attribute, changes_of, judged
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.placebo import Shift, reason, stands, uneven
from bench.gate.ab.tolerances import NO_LIMITS, Limits, limit_of
from bench.gate.stats import percent
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict, worst

STAGE_1_LAUNCHES = 6  # the fewest that give a two-sided 95 % interval (2 * 0.5**6 < 0.05)
STAGE_2_LAUNCHES = 20  # 2**-20 passes Holm over a thousand suspects; a spread of 3.4 % becomes an error of 0.8 %
STAGE_2_LOOK = 10  # of them, after which what is plainly unchanged is let go
PLAIN_SHARE = 0.5  # of the smallest effect; a slowdown of 5 % looks as small after the look once in a thousand times
PLACEBO_EVERY = 4  # one launch in four has base on both sides

PValues = Mapping[tuple[str, Control], float]  # of a scenario's controls


def is_placebo(number: int) -> bool:
    """Tell whether the launch of this number, from 0, has base on both sides.

    >>> [number for number in range(9) if is_placebo(number)]
    [3, 7]
    """
    return number % PLACEBO_EVERY == PLACEBO_EVERY - 1


def suspects(stage_1: Iterable[PairedLaunch], limits: Mapping[str, Limits] = NO_LIMITS) -> list[str]:
    """List the scenarios that stage 1 cannot clear, the slowest first: the order in which a budget should serve them.

    Of timed ones those of which an arm looks slower by SUSPECT_SHARE of the smallest effect, or may be slower than the
    tolerance; placebos do not count.
    """
    first = _real(stage_1)
    return _ranked(first, _changes(first, limits))


def cleared(stage_2: Iterable[PairedLaunch], limits: Mapping[str, Limits] = NO_LIMITS) -> set[str]:
    """Name the suspects that need no more launches: no arm may be slower than the tolerance or looks slower at all.

    They cannot become REGRESSED by it, so the chance of a false alarm does not grow.
    """

    def is_plain(change: Change, small: float) -> bool:
        return change.verdict in (Verdict.OK, Verdict.IMPROVED) and change.interval.estimate <= small

    return {
        name
        for name, changes in _changes(_real(stage_2), limits).items()
        if all(is_plain(change, PLAIN_SHARE * limit_of(name, limits).smallest_effect) for change in judged(changes))
    }


def decide(
    stage_1: Sequence[PairedLaunch],
    stage_2: Sequence[PairedLaunch],
    *,
    troubles: Iterable[Trouble] = (),
    limits: Mapping[str, Limits] = NO_LIMITS,
) -> list[ScenarioVerdict]:
    """Judge every scenario that was measured or met trouble; the more severe of trouble and verdict stands.

    Args:
        stage_1: launches of all scenarios, in the order of measurement, placebos among them.
        stage_2: fresh launches of the suspects, as many as the budget allowed.
        troubles: of either stage.
        limits: by scenario, where they are not the default.

    Returns:
        In the order of measurement. If base against itself moved, what does not hold without that shift is UNFIT.
    """
    first, fresh = _real(stage_1), _real(stage_2)
    seen = _changes(first, limits)
    escalated = _ranked(first, seen)
    again = _changes(fresh, limits, _adjusted({name: judged(seen[name]) for name in escalated}, fresh))
    found = {name: _scenario_verdict(series, seen[name]) for name, series in first.items()}
    for name in escalated:
        judged_again = _scenario_verdict(fresh[name], again[name]) if name in fresh else None
        found[name] = _after_stage_2(found[name], judged_again)
    if shift := uneven(stage_1, stage_2):
        for name in (name for name, series in first.items() if not series.counted):
            found[name] = _on_uneven_ground(found[name], shift, limit_of(name, limits))
    return list(_with_troubles(found, troubles).values())


def _real(launches: Iterable[PairedLaunch]) -> dict[str, Series]:
    return series_of(launch for launch in launches if not launch.is_placebo)


def _changes(
    launches: Mapping[str, Series], limits: Mapping[str, Limits], p_values: PValues = MappingProxyType({})
) -> dict[str, list[Change]]:
    return {name: changes_of(series, limit_of(name, limits), p_values) for name, series in launches.items()}


def _ranked(first: Mapping[str, Series], seen: Mapping[str, Iterable[Change]]) -> list[str]:
    timed = {name: judged(seen[name]) for name, series in first.items() if not series.counted}
    slowest = {
        name: max(change.interval.estimate for change in changes)
        for name, changes in timed.items()
        if any(change.suspect or change.verdict is Verdict.INCONCLUSIVE for change in changes)
    }
    return sorted(slowest, key=slowest.__getitem__, reverse=True)


def _adjusted(escalated: Mapping[str, Sequence[Change]], fresh: Mapping[str, Series]) -> PValues:
    """Test the arms that looked slow on fresh launches alone; one that the budget left out counts as p = 1."""
    raw = {
        (name, change.control): sign_flip_p(fresh[name].values[change.control]) if name in fresh else 1.0
        for name, changes in escalated.items()
        for change in changes
        if change.suspect
    }
    return dict(zip(raw, holm(list(raw.values())), strict=True))


def _after_stage_2(first: ScenarioVerdict, again: ScenarioVerdict | None) -> ScenarioVerdict:
    """Judge a suspect on its fresh launches alone; what the budget left undecided is INCONCLUSIVE."""
    num_fresh = again.num_launches if again else 0
    why = f"the time budget ended after {num_fresh} of {STAGE_2_LAUNCHES} fresh launches; raise --budget"
    if again is None:
        return replace(first, verdict=Verdict.INCONCLUSIVE, why=why, num_launches=0)
    is_cut_short = again.verdict is Verdict.INCONCLUSIVE and num_fresh < STAGE_2_LAUNCHES
    return replace(again, why=why) if is_cut_short else again


def _scenario_verdict(series: Series, changes: Sequence[Change]) -> ScenarioVerdict:
    verdict, where, why = worst(change.verdict for change in judged(changes)), attribute(changes), ""
    if where == "machine":
        moved = next(change.interval.estimate for change in changes if change.control == MACHINE)
        verdict = Verdict.UNFIT
        why = (
            f"the anchor, which no code of ours touches, moved by {percent(moved):+.1f} % too: the machine did, or "
            "head slows its whole process; run again"
        )
    return ScenarioVerdict(
        scenario=series.scenario,
        verdict=verdict,
        where=where,
        why=why,
        changes=tuple(changes),
        num_launches=series.num_launches,
    )


def _on_uneven_ground(found: ScenarioVerdict, shift: Shift, limit: Limits) -> ScenarioVerdict:
    """Let a verdict stand that holds without what the machine did to one side; else it is UNFIT."""
    if all(stands(change, shift.estimate, limit) for change in judged(found.changes)):
        return found
    return replace(found, verdict=Verdict.UNFIT, where="", why=reason(shift))


def _with_troubles(found: Mapping[str, ScenarioVerdict], troubles: Iterable[Trouble]) -> dict[str, ScenarioVerdict]:
    """Let a scenario's trouble replace its verdict where it is more severe, or where there is no verdict."""
    merged = dict(found)
    for trouble in troubles:
        said = merged.get(trouble.scenario)
        if said is None or said.verdict is not worst([said.verdict, trouble.verdict]):
            seen = said or ScenarioVerdict(scenario=trouble.scenario, verdict=trouble.verdict, num_launches=0)
            merged[trouble.scenario] = replace(seen, verdict=trouble.verdict, where="", why=trouble.why)
    return merged
