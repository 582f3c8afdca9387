"""What a comparison can say: the verdicts, how severe each is and how it ends the process, and on which evidence."""

import enum
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bench.gate.stats import Interval
from bench.harness.arms import ANCHOR


class Verdict(enum.Enum):
    """What a comparison says; EXIT_CODES has the exit code of a process that ends with it."""

    OK = "OK"
    IDENTICAL = "IDENTICAL"
    IMPROVED = "IMPROVED"
    NEW = "NEW"
    INCONCLUSIVE = "INCONCLUSIVE"
    UNFIT = "UNFIT"
    NOT_COMPARABLE = "NOT_COMPARABLE"
    MISSING = "MISSING"
    FAILED = "FAILED"
    CHANGED = "CHANGED"
    REGRESSED = "REGRESSED"
    WRONG = "WRONG"
    CORRUPT = "CORRUPT"


EXIT_CODES = {  # least severe first
    Verdict.OK: 0,
    Verdict.IDENTICAL: 0,  # the measured package and its dependencies are the same on both sides
    Verdict.IMPROVED: 0,
    Verdict.NEW: 0,
    Verdict.INCONCLUSIVE: 11,
    Verdict.UNFIT: 12,
    Verdict.NOT_COMPARABLE: 15,
    Verdict.MISSING: 13,
    Verdict.FAILED: 16,
    Verdict.CHANGED: 18,  # base and head answer differently
    Verdict.REGRESSED: 10,
    Verdict.WRONG: 17,
    Verdict.CORRUPT: 14,
}
SEVERITY = {verdict: rank for rank, verdict in enumerate(EXIT_CODES)}
COMPARING = frozenset(  # said of what has a counterpart and was set against it
    {Verdict.OK, Verdict.IDENTICAL, Verdict.IMPROVED, Verdict.INCONCLUSIVE, Verdict.CHANGED, Verdict.REGRESSED}
)
TOLERANCE_CAP = math.log(1.15)  # where a larger slowdown could go unseen, OK would say nothing


@dataclass(frozen=True, kw_only=True)
class Control:
    """Which arm is divided by which: the denominator is None for a counted metric's own value."""

    arm: str
    against: str | None

    @property
    def kind(self) -> str:
        """Name what the arm is divided by: the anchor, or an arm that does the same work."""
        return "anchor" if self.against == ANCHOR else "arm"

    def __str__(self) -> str:
        """Return the control as reports write it: `moe/dense`."""
        return f"{self.arm}/{self.against}" if self.against else self.arm


@dataclass(frozen=True, kw_only=True)
class Change:
    """One control of one scenario against the baseline, in log ratios; above 0 is worse."""

    control: Control
    interval: Interval
    tolerance: float
    verdict: Verdict
    suspect: bool
    decides: bool = True  # else it only tells where a change comes from
    limit: float | None = None  # that OK must exclude, where that is not the tolerance
    share: float | None = None  # that the arm had in the baseline, where its values are shares: then told in points


@dataclass(frozen=True, kw_only=True)
class ScenarioVerdict:
    """What is said of one scenario, and on which evidence."""

    scenario: str
    verdict: Verdict
    where: str = ""  # MoE, dense or shared code
    why: str = ""  # for verdicts that are not about speed
    changes: tuple[Change, ...] = ()
    num_launches: int = 1

    @property
    def acquitting(self) -> tuple[Change, ...]:
        """Return the changes by which OK is said: ratios of two arms; those to the anchor only where it has no other.

        What neighbours do to an anchor spreads twice as far as an arm against its twin, and farther from day to day: it
        shows a large slowdown of shared code, and can exclude none that is small.
        """
        deciding = tuple(change for change in self.changes if change.decides)
        return tuple(change for change in deciding if change.control.against != ANCHOR) or deciding

    @property
    def is_compared(self) -> bool:
        """Tell whether it was set against its counterpart; what was never measured is INCONCLUSIVE without."""
        is_measured = bool(self.num_launches or self.changes) or self.verdict is Verdict.IDENTICAL
        return self.verdict in COMPARING and is_measured

    @property
    def looks_slower(self) -> bool:
        """Tell whether a control that decides lies beyond its tolerance, or beyond what any tolerance may be."""
        limits = ((c, c.tolerance if c.limit is None else c.limit) for c in self.changes if c.decides)
        return any(not c.interval.estimate <= min(limit, TOLERANCE_CAP) for c, limit in limits)

    @property
    def is_counted(self) -> bool:
        """Tell whether values were compared that are counted, not timed: another launch would count the same."""
        return any(change.control.against is None for change in self.changes)


NOTHING_COMPARED = ScenarioVerdict(
    scenario="comparison",
    verdict=Verdict.MISSING,
    why="nothing was compared: no scenario was measured that the other side has; name some that both have",
    num_launches=0,
)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the most severe verdict; OK if there is none.

    >>> worst([Verdict.OK, Verdict.REGRESSED, Verdict.MISSING])
    <Verdict.REGRESSED: 'REGRESSED'>
    """
    return max(verdicts, key=SEVERITY.__getitem__, default=Verdict.OK)


def tally(verdicts: Iterable[Verdict]) -> dict[Verdict, int]:
    """Count verdicts, the most severe first.

    >>> [(verdict.value, count) for verdict, count in tally([Verdict.OK, Verdict.REGRESSED, Verdict.OK]).items()]
    [('REGRESSED', 1), ('OK', 2)]
    """
    counts = Counter(verdicts)
    return {verdict: counts[verdict] for verdict in sorted(counts, key=SEVERITY.__getitem__, reverse=True)}


def fails(verdict: ScenarioVerdict, *, allow_inconclusive: bool = False) -> bool:
    """Tell whether a verdict alone ends the process with another code than 0.

    Args:
        verdict: of one scenario.
        allow_inconclusive: lets through what could not be judged, unless it looks slower.
    """
    is_allowed = allow_inconclusive and verdict.verdict is Verdict.INCONCLUSIVE and not verdict.looks_slower
    return EXIT_CODES[verdict.verdict] != 0 and not is_allowed


def closed(verdicts: Iterable[ScenarioVerdict], *, allow_inconclusive: bool = False) -> list[ScenarioVerdict]:
    """Return the verdicts, with NOTHING_COMPARED where they would end 0 though no scenario was compared."""
    found = list(verdicts)
    if any(verdict.is_compared or fails(verdict, allow_inconclusive=allow_inconclusive) for verdict in found):
        return found
    return [*found, NOTHING_COMPARED]


def exit_code(verdicts: Iterable[ScenarioVerdict], *, allow_inconclusive: bool = False) -> int:
    """Return the process's exit code: that of the most severe verdict that fails; see `fails` and `closed`."""
    found = closed(verdicts, allow_inconclusive=allow_inconclusive)
    return EXIT_CODES[worst(v.verdict for v in found if fails(v, allow_inconclusive=allow_inconclusive))]
