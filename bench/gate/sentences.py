"""Verdicts as sentences: what was seen of a scenario and why it is judged so, and how a run ended in one line."""

import math
from collections.abc import Iterable, Sequence

from bench.gate.cap import UNJUDGEABLE
from bench.gate.stats import percent
from bench.gate.telling import bound, moved
from bench.gate.verdict import SEVERITY, Change, ScenarioVerdict, Verdict, tally
from bench.harness.wording import counted, span

SEEN = {  # what a control's tolerance means under a verdict that explains it
    Verdict.REGRESSED: "beyond the tolerance of",
    Verdict.INCONCLUSIVE: "where the smallest change that could have been seen is",
}


def explanations(verdicts: Iterable[ScenarioVerdict]) -> list[str]:
    """Say in a sentence each what lies behind the verdicts that are not simply OK, most severe first.

    What the machine is too noisy for has one sentence in common.
    """
    ranked = sorted(verdicts, key=lambda v: -SEVERITY[v.verdict])
    noisy = [v for v in ranked if v.why == UNJUDGEABLE]
    others = (v for v in ranked if v.why != UNJUDGEABLE and v.verdict is not Verdict.NEW)
    rest = [v for v in others if v.why or v.verdict in SEEN]
    return [*map(explain, rest), *([_too_noisy(noisy)] if noisy else [])]


def _too_noisy(verdicts: Sequence[ScenarioVerdict]) -> str:
    seen = f"slowdowns below {sensitivity(verdicts)} could have gone unseen"
    return f"{counted(len(verdicts), 'scenario')}: {Verdict.INCONCLUSIVE.value}: {UNJUDGEABLE}; {seen}"


def explain(verdict: ScenarioVerdict) -> str:
    """Say what was seen: the controls behind the verdict with interval and tolerance, where the cause lies, and why."""
    seen = [_moved(c) for c in verdict.changes if c.decides and c.verdict is verdict.verdict and c.verdict in SEEN]
    launches, where = "", ""
    if verdict.verdict is Verdict.REGRESSED:
        launches = "" if verdict.is_counted else f" over {counted(verdict.num_launches, 'fresh launch')}"
        where = f", in {verdict.where}" if verdict.where else ""
    said = "; ".join(filter(None, (*seen, verdict.why)))
    return f"{verdict.scenario}: {verdict.verdict.value}{where}: {said}{launches}"


def _moved(change: Change) -> str:
    least = f"{SEEN[change.verdict]} {bound(change)}" if math.isfinite(change.tolerance) else ""
    return f"{change.control} {moved(change)} {least}".rstrip()


def sensitivity(verdicts: Iterable[ScenarioVerdict]) -> str:
    """Say which slowdowns could have been seen: the widest tolerance of each scenario, from the least to the greatest.

    Empty where no scenario has a tolerance.
    """
    tolerances = ([c.tolerance for c in v.acquitting if math.isfinite(c.tolerance)] for v in verdicts)
    widest = [percent(max(found)) for found in tolerances if found]
    return f"{span(widest, '.0f')} %" if widest else ""


def summary(
    verdicts: Sequence[ScenarioVerdict], *, num_measured: int, seconds: float, check_s: float, timed_s: float
) -> str:
    """Return the one line that says how the run ended, and how much of its seconds checks and timed calls took."""
    counts = tally(verdict.verdict for verdict in verdicts)
    said = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items()) or "no verdict"
    compared = [verdict for verdict in verdicts if verdict.is_compared]
    spent = f"{timed_s:.0f} s of them timed calls, {check_s:.0f} s checks"
    took = f"{counted(num_measured, 'scenario')} measured in {seconds:.0f} s, {spent}"
    seen = f"; slowdowns above {least} would have been seen" if (least := sensitivity(compared)) else ""
    return f"{took}, {len(compared)} compared: {said}{seen}"
