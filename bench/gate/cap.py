"""OK is not said where it would say nothing: a control whose tolerance exceeds the cap leaves its row INCONCLUSIVE."""

from dataclasses import replace

from bench.gate.stats import percent
from bench.gate.verdict import SEVERITY, TOLERANCE_CAP, Change, ScenarioVerdict, Verdict

UNJUDGEABLE = (
    f"cannot be judged on this machine now, where OK must exclude a slowdown of {percent(TOLERANCE_CAP):.0f} %; "
    "measure again, its baseline too if need be, on a quieter one"
)


def capped(verdict: ScenarioVerdict) -> ScenarioVerdict:
    """Return the verdict, INCONCLUSIVE if a control that decides is OK by a tolerance beyond TOLERANCE_CAP alone."""
    is_green = SEVERITY[verdict.verdict] < SEVERITY[Verdict.INCONCLUSIVE]
    changes = tuple(_capped(change) for change in verdict.changes)
    if not is_green or changes == verdict.changes:
        return verdict
    return replace(verdict, verdict=Verdict.INCONCLUSIVE, where="", why=UNJUDGEABLE, changes=changes)


def _capped(change: Change) -> Change:
    is_too_wide = change.decides and change.verdict is Verdict.OK and not change.tolerance <= TOLERANCE_CAP
    return replace(change, verdict=Verdict.INCONCLUSIVE) if is_too_wide else change
