"""How scenarios moved over the promoted baselines: each promotion is a commit of its own, so git has them all."""

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.gate import ledger
from bench.gate.git import run_git
from bench.gate.judging import hash_mismatch
from bench.gate.ledger import DENOMINATOR, NUMERATOR, Slowdown
from bench.gate.stats import Interval, median_interval
from bench.harness.metrics import METRICS
from bench.harness.record import CorruptRecord, Record, Scenario, load

UNCOMMITTED = "uncommitted"  # in a commit's place: promoted, and not committed yet
SHALLOW = "this clone is shallow, so older promotions are missing; `git fetch --unshallow` brings them"


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One baseline as it was promoted."""

    commit: str  # that holds the file
    date: str  # ISO 8601
    reason: str
    release: str  # last release tag then; empty before the first
    record: Record


class History(NamedTuple):
    """The promotions of one baseline from the oldest, and what should be known of those that are not there."""

    promotions: Sequence[Promotion]
    notes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Move:
    """One scenario in one promotion."""

    promotion: Promotion
    moe: str  # median over launches, in the metric's unit
    dense: str  # the same; empty without a dense twin
    ratio: Interval | None  # MoE / dense, 95 % over launches
    change: float | None  # log ratio to the promotion before, above 0 is worse; None where nothing is comparable
    accepted: float | None  # log ratio of the slowdowns accepted since the last release tag; None without any


def baseline_names(folder: Path) -> list[str]:
    """List the baselines that a folder holds or has held.

    Raises:
        ValueError: if the folder is in no git repository.
        FileNotFoundError: if there is no such folder, or never was a baseline in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"baselines must lie in a folder, got no {folder}; name it with --baselines DIR")
    known = _git(folder, "log", "--relative", "--name-only", "--format=", "--", "*.json").splitlines()
    names = {*known, *(path.name for path in folder.glob("*.json"))} - {"", ledger.NAME}
    if not names:
        raise FileNotFoundError(f"{folder} must hold a promoted baseline, got none; see its README.md on promotion")
    return sorted(names)


def read_history(folder: Path, name: str) -> History:
    """Read every promotion of a baseline, a file in a folder of a git repository.

    Raises:
        ValueError: if the folder is in no git repository.
        FileNotFoundError: if no promotion can be read.
    """
    commits = _git(folder, "log", "--reverse", "--diff-filter=AM", "--format=%H", "--", name).split()
    found, notes = [], [SHALLOW] if _git(folder, "rev-parse", "--is-shallow-repository").strip() == "true" else []
    for commit in commits:
        try:
            record = Record.from_document(json.loads(_git(folder, "show", f"{commit}:./{name}")))
            found.append(_promotion(record, commit))
        except ValueError as error:  # CorruptRecord, or no JSON at all
            notes.append(f"{name} of {commit[:10]} is left out: {error}")
    path = folder / name
    if path.exists() and _git(folder, "status", "--porcelain", "--", name).strip():
        found.append(_promotion(load(path), UNCOMMITTED))
    if not found:
        raise FileNotFoundError("; ".join([f"{path} must have been promoted once, got no readable promotion", *notes]))
    return History(found, notes)


def _promotion(record: Record, commit: str) -> Promotion:
    if record.promotion is None:
        raise CorruptRecord("a baseline must say how it was promoted, got a plain record; use the command promote")
    said = {field: str(record.promotion.get(field, "")) for field in ("date", "reason", "release")}
    return Promotion(commit=commit, record=record, **said)


def follow(history: Sequence[Promotion], entries: Iterable[Slowdown], *, baseline: str) -> dict[str, list[Move]]:
    """Follow every scenario of a baseline, from the oldest promotion, through those that have it.

    Returns:
        By scenario id, in the order of the newest promotion; scenarios that it lacks come last.
    """
    entries = list(entries)
    accepted = [_accepted(promotion, entries, baseline) for promotion in history]
    ids = dict.fromkeys(name for promotion in reversed(history) for name in promotion.record.scenarios)
    found: dict[str, list[Move]] = {}
    for name in ids:
        before: Scenario | None = None
        for promotion, slower in zip(history, accepted, strict=True):
            if scenario := promotion.record.scenarios.get(name):
                found.setdefault(name, []).append(_move(promotion, scenario, before, slower.get(name)))
                before = scenario
    return found


def _accepted(promotion: Promotion, entries: Iterable[Slowdown], baseline: str) -> dict[str, float]:
    """Sum up what the ledger held when the promotion was made."""
    earlier = [entry for entry in entries if entry.date <= promotion.date]
    return ledger.accepted_since(earlier, baseline=baseline, release=promotion.release)


def _move(promotion: Promotion, scenario: Scenario, before: Scenario | None, accepted: float | None) -> Move:
    logs, change = _log_ratio(scenario), None
    earlier = _log_ratio(before) if before and not hash_mismatch(scenario, before) else None
    if logs and earlier:
        change = METRICS[scenario.arms[NUMERATOR].metric].sign * (logs.estimate - earlier.estimate)
    return Move(
        promotion=promotion,
        moe=_value(scenario, NUMERATOR),
        dense=_value(scenario, DENOMINATOR) if DENOMINATOR in scenario.arms else "",
        ratio=Interval(*map(math.exp, logs)) if logs else None,
        change=change,
        accepted=accepted,
    )


def _log_ratio(scenario: Scenario) -> Interval | None:
    """Return log(MoE / dense) as the ledger takes it, with its interval over launches; nothing without a dense twin."""
    return median_interval(ledger.log_ratios(scenario)) if DENOMINATOR in scenario.arms else None


def _value(scenario: Scenario, arm: str) -> str:
    series = scenario.arms[arm]
    value = statistics.median(statistics.median(launch.samples) for launch in series.launches)
    return METRICS[series.metric].display(value)


def _git(folder: Path, *arguments: str) -> str:
    """Return git's answer.

    Raises:
        ValueError: with git's words.
    """
    try:
        answer = run_git(folder, *arguments)
    except OSError as error:
        raise _unreadable(folder, str(error)) from error
    if answer.returncode:
        raise _unreadable(folder, answer.stderr)
    return answer.stdout


def _unreadable(folder: Path, said: str) -> ValueError:
    return ValueError(f"the history of {folder} must be readable by git, got {said.strip()!r}; run it inside a clone")
