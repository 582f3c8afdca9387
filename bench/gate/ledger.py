"""The ledger of accepted slowdowns: what promotions let through, so that 1 % ten times is seen."""

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, structs

from bench.gate.stats import block_log_ratios
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
    control: str
    old: Positive  # ratio of the replaced baseline
    new: Positive
    log_ratio: Positive  # log(new / old), turned so that above 0 is worse
    baseline: Text  # file name: each kind of machine has its own sum
    reason: str
    date: str
    commit: str
    release: str  # last release tag when it was accepted; empty before the first


def ratio(scenario: Scenario) -> float:
    """Return MoE / dense: per launch the median over blocks of the log ratio, then the median over launches."""
    return math.exp(statistics.median(log_ratios(scenario)))


def log_ratios(scenario: Scenario) -> list[float]:
    """Return log(MoE / dense) of each launch: the median over its blocks."""
    pairs = zip(scenario.arms[NUMERATOR].launches, scenario.arms[DENOMINATOR].launches, strict=True)
    return [statistics.median(block_log_ratios(moe.samples, dense.samples)) for moe, dense in pairs]


def slowdowns(old: Record, new: Record, baseline: str, stamp: Stamp) -> list[Slowdown]:
    """List the scenarios that the new baseline shows slower, on the same inputs, than the old one of that file name."""
    found = []
    for scenario in new.scenarios.values():
        before = old.scenarios.get(scenario.id)
        if before is None or not _comparable(before, scenario):
            continue
        old_ratio, new_ratio = ratio(before), ratio(scenario)
        worse = metric(scenario.arms[NUMERATOR].metric).sign * math.log(new_ratio / old_ratio)
        if worse > 0:
            seen = (scenario.id, CONTROL, old_ratio, new_ratio, worse, baseline)
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
    if entry.control != CONTROL:
        raise DocumentError(f"must be {CONTROL}, got {entry.control!r:.60}", place=f"{place}.control")
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


def accepted_since(entries: Iterable[Slowdown], *, baseline: str, release: str) -> dict[str, float]:
    """Return by scenario how much slower, as a log ratio, one baseline's was accepted to be since a release."""
    chains = chains_of(entries, baseline=baseline)
    return {scenario: accepted(chain) for (of, scenario), chain in chains.items() if of == release}


def chains_of(entries: Iterable[Slowdown], *, baseline: str) -> dict[tuple[str, str], list[Slowdown]]:
    """Gather one baseline's entries by release and scenario, in their order."""
    chains: dict[tuple[str, str], list[Slowdown]] = {}
    for entry in entries:
        if entry.baseline == baseline:
            chains.setdefault((entry.release, entry.scenario), []).append(entry)
    return chains


def accepted(chain: Sequence[Slowdown]) -> float:
    """Return how much slower a scenario was accepted to be, above 0 is worse.

    Args:
        chain: its entries since one release, at least one.

    Returns:
        Log ratio from the oldest entry's `old` to the newest entry's `new`. What became faster between two entries
        counts back: summing the slow halves of noise would grow with every promotion.
    """
    change = math.log(chain[-1].new / chain[0].old)
    return change if chain[0].new > chain[0].old else -change  # every entry says which way is worse


def _comparable(before: Scenario, after: Scenario) -> bool:
    """Tell whether both have the control on the same inputs."""
    if not all({NUMERATOR, DENOMINATOR} <= set(scenario.arms) for scenario in (before, after)):
        return False
    return not differing_inputs(before.arms[NUMERATOR].hashes, after.arms[NUMERATOR].hashes)
