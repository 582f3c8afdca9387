"""How scenarios moved over the promoted baselines: each promotion is a commit of its own, so git has them all."""

import math
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.gate import ledger
from bench.gate.git import git_files, run_git
from bench.gate.ledger import CONTROL, DENOMINATOR, NUMERATOR, Moved, Slowdown
from bench.gate.stats import Interval, median_interval
from bench.harness.documents import parse_json
from bench.harness.metrics import METRICS
from bench.harness.record import ArmSeries, CorruptRecord, Record, Scenario, differing_inputs, load

UNCOMMITTED = "uncommitted"  # in a commit's place: promoted, and not committed yet
AT_ONCE = 20  # promotions read by one process: each start of one takes as long as reading a hundred scenarios
SHALLOW = "this clone is shallow, so older promotions are missing; `git fetch --unshallow` brings them"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is followed of a scenario in one promotion: hundreds of whole records would fill the memory."""

    moe: str  # median over launches, in the metric's unit
    dense: str  # the same; empty without a dense twin
    control: str  # what the ledger follows; empty where it follows nothing
    log_value: Interval | None  # of it, 95 % over launches
    sign: float  # 1.0 where lower is better, -1.0 where higher is
    hashes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One baseline as it was promoted."""

    commit: str  # that holds the file
    date: str  # ISO 8601
    reason: str
    release: str  # last release tag then; empty before the first
    launches: str
    scenarios: Mapping[str, Seen]


class History(NamedTuple):
    """The promotions of one baseline from the oldest, and what should be known of those that are not there."""

    promotions: Sequence[Promotion]
    notes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Move:
    """One scenario in one promotion."""

    promotion: Promotion
    moe: str
    dense: str
    control: str  # see Seen
    followed: Interval | None  # MoE / dense, of a share the MoE's own, 95 % over launches
    change: Moved | None  # to the promotion before; None where nothing is comparable
    accepted: Moved | None  # since the last release tag; None without any


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
    for commit, content in _contents(folder, name, commits):
        try:
            record = Record.from_document(parse_json(content))
            found.append(_promotion(record, commit))
        except ValueError as error:  # CorruptRecord, or no JSON at all
            notes.append(f"{name} of {commit[:10]} is left out: {error}")
    path = folder / name
    if path.exists() and _git(folder, "status", "--porcelain", "--", name).strip():
        found.append(_promotion(load(path), UNCOMMITTED))
    if not found:
        raise FileNotFoundError("; ".join([f"{path} must have been promoted once, got no readable promotion", *notes]))
    return History(found, notes)


def _contents(folder: Path, name: str, commits: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for start in range(0, len(commits), AT_ONCE):
        some = commits[start : start + AT_ONCE]
        yield from zip(some, git_files(folder, [f"{commit}:./{name}" for commit in some]), strict=True)


def _promotion(record: Record, commit: str) -> Promotion:
    if record.promotion is None:
        raise CorruptRecord("a baseline must say how it was promoted, got a plain record; use the command promote")
    said = {field: str(record.promotion.get(field, "")) for field in ("date", "reason", "release", "launches")}
    return Promotion(commit=commit, scenarios={name: seen_of(one) for name, one in record.scenarios.items()}, **said)


def seen_of(scenario: Scenario) -> Seen:
    """Return what is followed of a scenario that a record holds."""
    moe, control = scenario.arms[NUMERATOR], ledger.control_of(scenario)
    return Seen(
        moe=_value(moe),
        dense=_value(scenario.arms[DENOMINATOR]) if DENOMINATOR in scenario.arms else "",
        control=control,
        log_value=median_interval(ledger.log_values(scenario)) if control else None,
        sign=METRICS[moe.metric].sign,
        hashes=moe.hashes,
    )


def _value(series: ArmSeries) -> str:
    value = statistics.median(statistics.median(launch.samples) for launch in series.launches)
    return METRICS[series.metric].display(value)


def follow(history: Sequence[Promotion], entries: Iterable[Slowdown], *, baseline: str) -> dict[str, list[Move]]:
    """Follow every scenario of a baseline, from the oldest promotion, through those that have it.

    Returns:
        By scenario id, in the order of the newest promotion; scenarios that it lacks come last.
    """
    chains = ledger.chains_of(sorted(entries, key=_date), baseline=baseline)
    ids = dict.fromkeys(name for promotion in reversed(history) for name in promotion.scenarios)
    found: dict[str, list[Move]] = {}
    for name in ids:
        before: Seen | None = None
        for promotion in history:
            if seen := promotion.scenarios.get(name):
                chain = chains.get((promotion.release, name), [])
                earlier = chain[: bisect_right(chain, promotion.date, key=_date)]
                found.setdefault(name, []).append(_move(promotion, seen, before, earlier))
                before = seen
    return found


def _date(entry: Slowdown) -> str:
    return entry.date


def _move(promotion: Promotion, seen: Seen, before: Seen | None, accepted: Sequence[Slowdown]) -> Move:
    return Move(
        promotion=promotion,
        moe=seen.moe,
        dense=seen.dense,
        control=seen.control,
        followed=Interval(*map(math.exp, seen.log_value)) if seen.log_value else None,
        change=_change(seen, before),
        accepted=ledger.accepted(accepted) if accepted else None,
    )


def _change(seen: Seen, before: Seen | None) -> Moved | None:
    """Return how a scenario moved; nothing where the two are not the same control on the same inputs."""
    if before is None or seen.control != before.control or differing_inputs(seen.hashes, before.hashes):
        return None
    if seen.log_value is None or before.log_value is None:
        return None
    worse = seen.sign * (seen.log_value.estimate - before.log_value.estimate)
    return Moved(worse, None if seen.control == CONTROL else math.exp(before.log_value.estimate))


def _git(folder: Path, *arguments: str) -> str:
    """Return git's answer.

    Raises:
        ValueError: with git's words, or if there is no git.
    """
    answer = run_git(folder, *arguments)
    if answer.returncode:
        said = answer.stderr.strip()
        raise ValueError(f"the history of {folder} must be readable by git, got {said!r}; run it inside a clone")
    return answer.stdout
