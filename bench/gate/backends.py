"""Whether two measurements ran on the same: other libraries or kernels are told, never taken for a change of the code.

A head that lacks a kernel which base has is broken (FAILED): its times are those of what stands in. Whatever else
differs makes times of two things, of which neither says anything about the other (NOT_COMPARABLE).
"""

from collections.abc import Iterator
from typing import NamedTuple

from bench.gate.verdict import Verdict
from bench.harness.backends import RanOn
from bench.harness.environment import differences


class Mismatch(NamedTuple):
    """Why two measurements say nothing about each other's code."""

    verdict: Verdict
    why: str


def mismatch(base: RanOn, head: RanOn, names: tuple[str, str] = ("base", "head")) -> Mismatch | None:
    """Say in what head ran on something else than base, the gravest first; None where both ran on the same.

    Args:
        base: What is compared with.
        head: What is judged.
        names: What messages call the two.
    """
    if missing := next(_missing(head, base, *reversed(names)), ""):
        return Mismatch(Verdict.FAILED, missing)
    if other := differences(dict(base.libraries), dict(head.libraries)):
        return Mismatch(Verdict.NOT_COMPARABLE, f"other libraries ({' / '.join(names)}): {'; '.join(other)}")
    if missing := next(_missing(base, head, *names), ""):
        return Mismatch(Verdict.NOT_COMPARABLE, missing)
    return None


def _missing(lacks: RanOn, has: RanOn, who: str, other: str) -> Iterator[str]:
    """Say of each backend what only one has; one that is lost is not compared with what nothing is known of."""
    for name, found in lacks.backends.items():
        reason = f": {found.lost}" if found.lost else ""
        if name in has.backends:
            missing = [one for one in has.backends[name].runs if one not in found.runs]
            if missing:
                yield f"{who} runs without {name} {', '.join(missing)}, which {other} has{reason}"
        elif reason:
            yield f"{who} runs without {name}, of which {other} tells nothing{reason}"
