"""The stored baseline that a run is compared with: found by the kind of machine, or named; opened and checked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.gate.backends import mismatch
from bench.gate.tolerance import typical_variances
from bench.gate.verdict import Control, Verdict
from bench.harness.arms import ANCHOR
from bench.harness.environment import differences, kind_slug
from bench.harness.naming import COMMANDS
from bench.harness.record import CorruptRecord, Record, load

REMEDIES = {  # of what a run ran on
    Verdict.FAILED: "mend that, for what stands in is what was measured",
    Verdict.NOT_COMPARABLE: "measure on what the baseline ran on, or promote a baseline on what is here now",
}
LAUNCHES_TO_PROMOTE = 8  # fewer tell a spread between launches only to a factor of more than two


@dataclass(frozen=True, kw_only=True)
class OpenBaseline:
    """The baseline a run is compared with."""

    record: Record
    same_fingerprint: bool = False  # as the run's: ratios to the anchor may be judged
    typical: Mapping[str, float]  # variances; see `typical_variances`
    num_judged: int = 1  # scenarios of the run that is compared: the more, the more errors make a slowdown
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of that run: group -> its scenarios
    unrest: Mapping[str, float] = field(default_factory=dict)  # of that run; see unrest.py

    def decides_by(self, control: Control) -> bool:
        """Tell whether a control decides a verdict: between machines of one kind, ratios to the anchor only inform."""
        return self.same_fingerprint or control.against != ANCHOR


class NoBaseline(NamedTuple):
    """Why no scenario can be compared: MISSING, CORRUPT, NOT_COMPARABLE or FAILED, with the reason and the remedy."""

    verdict: Verdict
    why: str


def baseline_path(directory: Path, kind: Mapping[str, Any]) -> Path:
    """Return where the baseline of a kind of machine lies."""
    return directory / f"{kind_slug(kind)}.json"


def open_baseline(directory: Path, explicit: Path | None, run: Record) -> OpenBaseline | NoBaseline:
    """Open the baseline for the kind of machine that a run was measured on, or the file that the user named.

    A named file is used whatever its machine, or declared not comparable.
    """
    path = explicit or baseline_path(directory, run.kind)
    if not explicit and not path.is_file():
        how = f"{COMMANDS} baseline --reason TEXT [-- options] ({LAUNCHES_TO_PROMOTE} runs like this)"
        why = f"no baseline in {directory}/ for this kind of machine; measure and promote one: {how}"
        return NoBaseline(Verdict.MISSING, why)
    try:
        record = load(path)
    except FileNotFoundError:
        return NoBaseline(Verdict.MISSING, f"{path} does not exist; give --baseline a record")
    except CorruptRecord as error:
        return NoBaseline(Verdict.CORRUPT, str(error))
    if differing := differences(record.kind, run.kind):
        what = f"{path} comes from another kind of machine: {'; '.join(differing)}"
        return NoBaseline(Verdict.NOT_COMPARABLE, f"{what}; leave --baseline out, or promote a baseline of this one")
    if other := mismatch(record.ran_on, run.ran_on, ("the baseline", "this run")):
        return NoBaseline(other.verdict, f"{path}: {other.why}; {REMEDIES[other.verdict]}")
    if record.timing != run.timing:
        why = f"{path} was timed in another way (timing {record.timing}, now {run.timing})"
        return NoBaseline(Verdict.NOT_COMPARABLE, f"{why}; {REMEDIES[Verdict.NOT_COMPARABLE]}")
    typical = typical_variances(record.scenarios.values())
    if any(map(math.isnan, typical.values())):
        why = f"{path} must hold two launches or more, whose spread gives the tolerance, got one; promote a baseline"
        return NoBaseline(Verdict.MISSING, why)
    same_fingerprint = not differences(record.fingerprint, run.fingerprint)
    return OpenBaseline(record=record, same_fingerprint=same_fingerprint, typical=typical)
