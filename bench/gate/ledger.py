"""The ledger of accepted slowdowns: what promotions let through, so that 1 % ten times is seen."""

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, structs

from bench.gate.shares import is_share
from bench.gate.stats import block_log_ratios
from bench.gate.telling import told
from bench.harness.arms import PRIMARY, TWIN
from bench.harness.documents import DocumentError, content_of, document_of, parse_json
from bench.harness.forms import Positive, Text, checked
from bench.harness.metrics import metric
from bench.harness.record import Record, Scenario, differing_inputs
from bench.harness.writing import replace_text

NAME = "ledger.json"
NUMERATOR, DENOMINATOR = PRIMARY, TWIN  # the control that is portable between machines of one kind
CONTROL = f"{NUMERATOR}/{DENOMINATOR}"
ROUNDING = 1e-9  # of a log ratio


class Stamp(NamedTuple):
    """Why, of what and when a baseline was promoted."""

    reason: str
    commit: str
    date: str  # ISO 8601
    release: str  # last release tag; empty before the first


class Slowdown(Struct, frozen=True, forbid_unknown_fields=True):
    """One scenario that a promoted baseline shows slower than the baseline it replaced."""

    scenario: Text
    control: str  # moe/dense; of a share the MoE's own, for a ratio of two shares means nothing
    old: Positive  # of the replaced baseline
    new: Positive
    log_ratio: Positive  # log(new / old), turned so that above 0 is worse
    baseline: Text  # file name: each kind of machine has its own sum
    reason: str
    date: str
    commit: str
    release: str  # last release tag when it was accepted; empty before the first


def control_of(scenario: Scenario) -> str:
    """Return what is followed of a scenario: MoE / dense, of a share the MoE's own; empty without a dense twin."""
    if is_share(scenario.arms[NUMERATOR].metric):
        return NUMERATOR
    return CONTROL if DENOMINATOR in scenario.arms else ""


def value_of(scenario: Scenario) -> float:
    """Return what is followed: per launch the median over blocks, in logs, then the median over launches."""
    return math.exp(statistics.median(log_values(scenario)))


def log_values(scenario: Scenario) -> list[float]:
    """Return the logarithm of what is followed, by launch: the median over its blocks."""
    above = [launch.samples for launch in scenario.arms[NUMERATOR].launches]
    if control_of(scenario) == NUMERATOR:
        return [statistics.median(map(math.log, samples)) for samples in above]
    below = [launch.samples for launch in scenario.arms[DENOMINATOR].launches]
    return [statistics.median(block_log_ratios(*pair)) for pair in zip(above, below, strict=True)]


def slowdowns(old: Record, new: Record, baseline: str, stamp: Stamp) -> list[Slowdown]:
    """List the scenarios that the new baseline shows slower, on the same inputs, than the old one of that file name."""
    found = []
    for scenario in new.scenarios.values():
        before = old.scenarios.get(scenario.id)
        if before is None or not _comparable(before, scenario):
            continue
        then, now = value_of(before), value_of(scenario)
        worse = metric(scenario.arms[NUMERATOR].metric).sign * math.log(now / then)
        if worse > 0:
            seen = (scenario.id, control_of(scenario), then, now, worse, baseline)
            found.append(Slowdown(*seen, stamp.reason, stamp.date, stamp.commit, stamp.release))
    return found


def read(directory: Path) -> list[Slowdown]:
    """Read the ledger of a directory of baselines; empty if there is none yet.

    Raises:
        CorruptRecord: if the file is not a ledger.
    """
    path = directory / NAME
    if not path.exists():
        return []
    with document_of(path, remedy="restore it from version control"):
        entries = checked(parse_json(content_of(path)), list[Slowdown])
        for number, entry in enumerate(entries):
            _check(entry, f"[{number}]")
        return entries


def _check(entry: Slowdown, place: str) -> None:
    """Demand the control that is kept here, and numbers that say one thing."""
    if entry.control not in (CONTROL, NUMERATOR):
        rule = f"must be {CONTROL}, or {NUMERATOR} of a share, got {entry.control!r:.60}"
        raise DocumentError(rule, place=f"{place}.control")
    moved = abs(math.log(entry.new / entry.old))
    if not math.isclose(entry.log_ratio, moved, abs_tol=ROUNDING):
        rule = f"must be log(new / old), {moved:.6g}, got {entry.log_ratio:.6g}"
        raise DocumentError(rule, place=f"{place}.log_ratio")


def append(directory: Path, entries: Iterable[Slowdown]) -> None:
    """Add entries to the ledger of a directory, in one step.

    Raises:
        RecordWriteError: if the file system refuses.
        CorruptRecord: if the file that is there is not a ledger.
    """
    lines = [json.dumps(structs.asdict(entry)) for entry in (*read(directory), *entries)]
    replace_text(directory / NAME, "[\n" + ",\n".join(lines) + "\n]\n")


class Moved(NamedTuple):
    """How far what is followed of a scenario moved."""

    log_ratio: float  # above 0 is worse
    share: float | None = None  # that it was, where it is one

    def __str__(self) -> str:
        """Say it in percent, above 0 is worse, or in points, below 0 is worse."""
        return told(self.log_ratio, self.share)


def accepted_since(entries: Iterable[Slowdown], *, baseline: str, release: str) -> dict[str, Moved]:
    """Return by scenario how much slower one baseline's was accepted to be since a release."""
    chains = chains_of(entries, baseline=baseline)
    return {scenario: accepted(chain) for (of, scenario), chain in chains.items() if of == release}


def chains_of(entries: Iterable[Slowdown], *, baseline: str) -> dict[tuple[str, str], list[Slowdown]]:
    """Gather one baseline's entries by release and scenario, in their order.

    Of one control, the newest's: a ratio and a share do not add up.
    """
    chains: dict[tuple[str, str], list[Slowdown]] = {}
    for entry in entries:
        if entry.baseline == baseline:
            chain = chains.setdefault((entry.release, entry.scenario), [])
            if chain and chain[-1].control != entry.control:
                chain.clear()
            chain.append(entry)
    return chains


def accepted(chain: Sequence[Slowdown]) -> Moved:
    """Return how much slower a scenario was accepted to be.

    Args:
        chain: its entries since one release, at least one.

    Returns:
        From the oldest entry's `old` to the newest entry's `new`. What became faster between two entries counts back:
        summing the slow halves of noise would grow with every promotion.
    """
    first = chain[0]
    change = math.log(chain[-1].new / first.old)
    worse = change if first.new > first.old else -change  # every entry says which way is worse
    return Moved(worse, first.old if first.control == NUMERATOR else None)


def _comparable(before: Scenario, after: Scenario) -> bool:
    """Tell whether both have the same control on the same inputs."""
    if not control_of(after) or control_of(before) != control_of(after):
        return False
    return not differing_inputs(before.arms[NUMERATOR].hashes, after.arms[NUMERATOR].hashes)
