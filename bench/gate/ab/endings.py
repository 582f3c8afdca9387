"""What a side's ending of a scenario means: head's is a verdict, base's that it fails at what it was given to run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.gate.ab.channel import Ended
from bench.gate.ab.launches import Trouble
from bench.gate.ab.worker_process import WorkerLost
from bench.gate.verdict import SEVERITY, Verdict
from bench.harness.agreement import WrongAnswer

BASE, HEAD = "base", "head"
WRONG = WrongAnswer.__name__  # an answer that did not agree with the oracle's
OUT_OF_MEMORY = ("OutOfMemoryError", "MemoryError")  # torch's and Python's: never taken for a scenario that base lacks
NOTHING_MEASURED = "it ended without measuring; a scenario must call paired.measure or paired.observe once"


@dataclass(frozen=True, kw_only=True)
class BaseFails:
    """Base does not get through a scenario, and head may."""

    scenario: str
    why: str
    is_wrong: bool = False  # it answers, and wrongly


def meaning(scenario: str, ended: Mapping[str, Ended], *, is_placebo: bool) -> Trouble | BaseFails:
    """Return the more severe of the sides' endings; of a wrong head it says whether base is wrong too.

    Args:
        scenario: that ended early, or not as it should.
        ended: by name of the side.
        is_placebo: base's package is in both slots.
    """
    found = [_of_end(scenario, name, end, is_heads=name == HEAD and not is_placebo) for name, end in ended.items()]
    troubles = [one for one in found if isinstance(one, Trouble)]
    if not troubles:
        return found[0]
    worst = max(troubles, key=lambda trouble: SEVERITY[trouble.verdict])
    if worst.verdict is Verdict.WRONG and BASE in ended and ended[BASE].error == WRONG:
        return replace(worst, why=f"{worst.why}; base answers wrongly too: {ended[BASE].why}")
    return worst


def of_lost(scenario: str, lost: WorkerLost, *, is_placebo: bool) -> Trouble | BaseFails:
    """Say what it means that a worker was lost in the middle of a scenario."""
    if lost.has_refused and (lost.side == BASE or is_placebo):
        return BaseFails(scenario=scenario, why=str(lost))
    return Trouble(scenario=scenario, verdict=Verdict.FAILED, why=str(lost))


def _of_end(scenario: str, name: str, end: Ended, *, is_heads: bool) -> Trouble | BaseFails:
    why = f"{name}: {end.why or NOTHING_MEASURED}"
    if end.outcome == "skipped":  # two copies do not fit the device
        return Trouble(scenario=scenario, verdict=Verdict.UNFIT, why=why)
    if end.error in OUT_OF_MEMORY:
        return Trouble(scenario=scenario, verdict=Verdict.FAILED, why=why)
    if is_heads:
        return Trouble(scenario=scenario, verdict=Verdict.WRONG if end.error == WRONG else Verdict.FAILED, why=why)
    return BaseFails(scenario=scenario, why=end.why or NOTHING_MEASURED, is_wrong=end.error == WRONG)
