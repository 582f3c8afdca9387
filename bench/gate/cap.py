"""OK is not said where it would say nothing: a control whose tolerance exceeds the cap leaves its row INCONCLUSIVE."""

from dataclasses import replace

from bench.gate.stats import percent
from bench.gate.verdict import SEVERITY, TOLERANCE_CAP, Change, ScenarioVerdict, Verdict

UNJUDGEABLE = (
    f"cannot be judged on this machine now, where OK must exclude a slowdown of {percent(TOLERANCE_CAP):.0f} %; "
    "measure again, its baseline too if need be, on a quieter one"
)


def capped(verdict: ScenarioVerdict) -> ScenarioVerdict:
    """Return the verdict, INCONCLUSIVE if a control that acquits is OK by a tolerance beyond TOLERANCE_CAP alone."""
    is_green = SEVERITY[verdict.verdict] < SEVERITY[Verdict.INCONCLUSIVE]
    too_wide = [change for change in verdict.acquitting if _is_too_wide(change)]
    if not is_green or not too_wide:
        return verdict
    changes = tuple(replace(c, verdict=Verdict.INCONCLUSIVE) if c in too_wide else c for c in verdict.changes)
    return replace(verdict, verdict=Verdict.INCONCLUSIVE, where="", why=UNJUDGEABLE, changes=changes)


def _is_too_wide(change: Change) -> bool:
    return change.verdict is Verdict.OK and not change.tolerance <= TOLERANCE_CAP
