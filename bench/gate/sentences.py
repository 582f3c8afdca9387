"""Verdicts as sentences: what was seen of a scenario and why it is judged so, and how a run ended in one line."""

from collections.abc import Iterable

from bench.gate.telling import bound, moved
from bench.gate.verdict import SEVERITY, Change, ScenarioVerdict, Verdict, tally
from bench.harness.wording import counted

SEEN = {  # what a control's tolerance means under a verdict that explains it
    Verdict.REGRESSED: "beyond the tolerance of",
    Verdict.INCONCLUSIVE: "where the smallest change that could have been seen is",
}
NOT_COMPARED = (Verdict.NEW, Verdict.MISSING, Verdict.WRONG)


def explanations(verdicts: Iterable[ScenarioVerdict]) -> list[str]:
    """Say in a sentence each what lies behind the verdicts that are not simply OK, most severe first."""
    ranked = sorted(verdicts, key=lambda v: -SEVERITY[v.verdict])
    return [explain(v) for v in ranked if v.verdict is not Verdict.NEW and (v.why or v.verdict in SEEN)]


def explain(verdict: ScenarioVerdict) -> str:
    """Say what was seen: the controls behind the verdict with interval and tolerance, where the cause lies, and why."""
    seen = [_moved(c) for c in verdict.changes if c.verdict is verdict.verdict and c.verdict in SEEN]
    launches, where = "", ""
    if verdict.verdict is Verdict.REGRESSED:
        launches = "" if verdict.is_counted else f" over {counted(verdict.num_launches, 'fresh launch')}"
        where = f", in {verdict.where}" if verdict.where else ""
    said = "; ".join(filter(None, (*seen, verdict.why)))
    return f"{verdict.scenario}: {verdict.verdict.value}{where}: {said}{launches}"


def _moved(change: Change) -> str:
    return f"{change.control} {moved(change)} {SEEN[change.verdict]} {bound(change)}"


def summary(verdicts: Iterable[ScenarioVerdict], *, num_measured: int, seconds: float, check_s: float) -> str:
    """Return the one line that says how the run ended, and how much of its seconds the checks of answers took."""
    counts = tally(verdict.verdict for verdict in verdicts)
    said = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items()) or "no verdict"
    compared = sum(count for verdict, count in counts.items() if verdict not in NOT_COMPARED)
    took = f"{counted(num_measured, 'scenario')} measured in {seconds:.0f} s, {check_s:.0f} s of them checks"
    return f"{took}, {compared} compared: {said}"
