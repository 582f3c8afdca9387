"""One run of `ab` on a real change, and in what it is not what the table asks for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.gate.groups import SUITE, group_of_id
from bench.gate.verdict import Verdict, worst
from tests.bench.gate.ab.real_changes.table import NOTICED, RealChange

GREEN = {Verdict.OK.value, Verdict.IMPROVED.value}
SHARED, ARMS = "shared code", ("MoE", "dense")  # causes
UNDECIDED_CODES = (11, 12)  # INCONCLUSIVE and UNFIT: a machine on which nothing can be said is red, and no alarm
MINUTES = re.compile(r"\d+(\.\d+)? ?min")  # that the budget lacked


@dataclass(frozen=True, kw_only=True)
class GateRun:
    """What one run said."""

    change: str
    mode: str
    code: int
    scenarios: Mapping[str, Sequence[str]]  # verdict -> scenarios and groups of which it is said
    where: Mapping[str, str]  # what is REGRESSED -> the cause
    undecided: Sequence[str]  # what is said of those that are INCONCLUSIVE, each sentence once
    seconds: float
    load: Sequence[float]  # before and after

    @property
    def verdict(self) -> str:
        """Return the most severe verdict."""
        return worst(map(Verdict, self.scenarios)).value


def rows(said: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Gather the rows of ab.json: what is said of which scenarios, to what slowdowns are put down, what is lacking."""
    scenarios: dict[str, list[str]] = {}
    for row in said:
        scenarios.setdefault(row["verdict"], []).append(row["scenario"])
    where = {row["scenario"]: row["where"] for row in said if row["verdict"] == Verdict.REGRESSED.value}
    undecided = {row["why"] for row in said if row["verdict"] == Verdict.INCONCLUSIVE.value}
    return {"scenarios": scenarios, "where": where, "undecided": sorted(undecided - {""})}


def faults(change: RealChange, run: GateRun) -> list[str]:
    """Say in what a run on a quiet machine is not what the table asks for; nothing where it is right."""
    return [*_wrong_end(change, run), *_wrong_rows(change, run), *_wrong_causes(change, run)]


def faults_when_busy(change: RealChange, run: GateRun) -> list[str]:
    """Say in what a run beside busy processes is neither right nor red with the minutes that it lacked."""
    if not faults(change, run):
        return []
    found = list(_wrong_rows(change, run))
    if max((change.worse or {}).values(), default=0.0) >= NOTICED and run.code == 0:
        found.append(f"it ends 0, though {change.does}")
    if change.code == 0 and run.code not in (0, *UNDECIDED_CODES):
        found.append(f"it ends {run.code}, an alarm, though nothing is slower")
    if run.verdict == Verdict.INCONCLUSIVE.value and not any(map(MINUTES.search, run.undecided)):
        found.append(f"it does not say how many minutes it lacked: {'; '.join(run.undecided)}")
    return found


def _wrong_end(change: RealChange, run: GateRun) -> Iterator[str]:
    if run.code != change.code:
        yield f"it must end {change.code}, got {run.code}"
    if run.verdict not in change.verdicts:
        yield f"it must say {' or '.join(change.verdicts)}, got {run.verdict}"


def _wrong_rows(change: RealChange, run: GateRun) -> Iterator[str]:
    """Find slowdowns that are none, and those of NOTICED percent of which OK is said."""
    names = [name for said in run.scenarios.values() for name in said]
    touched = {name for name in names if change.may_touch(name)}
    touched |= {group_of_id(name) for name in touched} | ({SUITE} if touched else set())
    for name in run.scenarios.get(Verdict.REGRESSED.value, ()):
        if name not in touched:
            yield f"{name} is REGRESSED, which runs nothing of the change"
    for verdict in GREEN:
        for name in run.scenarios.get(verdict, ()):
            if change.percent(name) >= NOTICED:
                yield f"{name} is {verdict}, which is worse by {change.percent(name):.0f} %"


def _wrong_causes(change: RealChange, run: GateRun) -> Iterator[str]:
    for name, where in run.where.items():
        is_known = bool(change.percent(name)) or change.cause != SHARED  # of what is shared one arm may be slower alone
        if where != change.cause and (is_known or where not in ARMS):
            yield f"{name} is put down to {where or 'nothing'}, must be {change.cause or 'nothing'}"
