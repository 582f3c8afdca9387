"""Whether two sides that are ready for a scenario do the same work: inputs, what they run on, and what they answer."""

from collections.abc import Mapping
from typing import Any

from bench.gate.ab.answers import differing_answers
from bench.gate.ab.channel import Ready
from bench.gate.ab.launches import Trouble
from bench.gate.backends import mismatch
from bench.gate.verdict import Verdict
from bench.harness.answers import Sample
from bench.harness.backends import RanOn, read_backends
from bench.harness.record import differing_inputs

REMEDY = "if that is meant, accept it with --accept-answers REASON"


def compare_ready(
    scenario: str, base: Ready, head: Ready, *, is_placebo: bool = False, is_accepted: bool = False
) -> Trouble | None:
    """Say what keeps the times of two sides from being those of the same work; None where nothing does.

    Answers are compared of arms of which both sides sent one.

    Args:
        is_placebo: whether base's package is on both sides.
        is_accepted: whether head may answer otherwise.
    """
    if differing := differing_inputs(base.hashes, head.hashes):
        why = f"base and head do not get the same inputs: another {' and '.join(differing)} hash"
        return Trouble(scenario=scenario, verdict=Verdict.NOT_COMPARABLE, why=why)
    if other := mismatch(_ran_on(base), _ran_on(head)):
        verdict = Verdict.NOT_COMPARABLE if is_placebo else other.verdict
        return Trouble(scenario=scenario, verdict=verdict, why=other.why)
    if changed := differing_answers(_samples(base.answers), _samples(head.answers)):
        what = "; ".join(changed)
        if is_placebo:
            why = f"base itself answers otherwise in another process: {what}"
            return Trouble(scenario=scenario, verdict=Verdict.NOT_COMPARABLE, why=why)
        why = f"head answers otherwise than base: {what}"
        return Trouble(scenario=scenario, verdict=Verdict.CHANGED, why=why if is_accepted else f"{why}; {REMEDY}")
    return None


def _ran_on(ready: Ready) -> RanOn:
    return RanOn(ready.libraries, read_backends(ready.backends))


def _samples(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Sample]:
    return {arm: Sample(**fields) for arm, fields in answers.items()}
