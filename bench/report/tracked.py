"""The file that CI keeps of runs of its main branch: a line a run, added and never changed, on a branch of its own.

A line holds what is followed of each scenario, as the history of baselines does: MoE / dense, of a share the MoE's own.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

from bench.gate import ledger
from bench.gate.history import UNCOMMITTED, seen_of
from bench.gate.stats import Interval
from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.forms import Count, Finite, Text, checked
from bench.harness.record import Record, Scenario
from bench.harness.record.schema import KindForm
from bench.harness.writing import append_line, replace_text, whole_lines

SUFFIX = ".jsonl"
SCHEMA_VERSION = 1
REMEDY = "restore it from the branch that keeps it, or cut the line"


class TrackedScenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is followed of one scenario in one run."""

    control: Text
    log_value: Finite
    low: Finite | None  # None without bounds
    high: Finite | None
    sign: float  # 1.0 where lower is better
    moe: str  # as reports write it
    dense: str = ""
    hashes: dict[str, str]  # of the inputs: another one is other work

    @property
    def interval(self) -> Interval:
        """Return what is followed, no longer as a logarithm."""
        low = -math.inf if self.low is None else math.exp(self.low)
        return Interval(math.exp(self.log_value), low, math.inf if self.high is None else math.exp(self.high))


class TrackedRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run."""

    schema_version: int
    launch: Text
    commit: str
    date: Text  # ISO 8601
    subject: str  # of the commit
    kind: KindForm
    timing: Count
    software: str
    scenarios: dict[str, TrackedScenario]

    def __post_init__(self) -> None:
        """Demand a schema that is known."""
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}, got {self.schema_version}")


def is_tracked(path: Path) -> bool:
    """Tell whether a file is one of runs, by its name."""
    return path.suffix == SUFFIX


def read_tracked(path: Path) -> list[TrackedRun]:
    """Read the runs of a file; what an interrupted writer left of the last line is no run.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptRecord: a line is no run.
    """
    runs = []
    for number, line in enumerate(whole_lines(content_of(path)).splitlines(), 1):
        with document_of(f"{path}, line {number}", remedy=REMEDY):
            runs.append(checked(parse_json(line), TrackedRun))
    return runs


def track(path: Path, record: Record, *, subject: str, software: str) -> int:
    """Add a record's run to a file, which is made where there is none.

    Returns:
        How many runs the file holds.

    Raises:
        ValueError: the file has this launch, or nothing of the record can be followed.
        CorruptRecord: a line of the file is no run.
        RecordWriteError: the file system refuses.
    """
    run = run_of(record, subject=subject, software=software)
    known = read_tracked(path) if path.exists() else []
    if run.launch in {one.launch for one in known}:
        raise ValueError(f"a launch must be tracked once, got {run.launch}, which {path} has; name another record")
    line = json.dumps(to_builtins(run))
    if path.exists():
        append_line(path, line)
    else:
        replace_text(path, f"{line}\n")
    return len(known) + 1


def run_of(record: Record, *, subject: str, software: str) -> TrackedRun:
    """Return what is kept of a record.

    Raises:
        ValueError: nothing can be followed, or arms were slowed on purpose.
    """
    if record.injected:
        raise ValueError(f"a run must be as the code is, got slowed {', '.join(record.injected)}; measure without")
    scenarios = {name: found for name, one in record.scenarios.items() if (found := _scenario(one))}
    if not scenarios:
        raise ValueError("a record must hold a scenario with a dense twin, or an accuracy, got none; name another")
    ours: dict[str, Any] = {"kind": checked(dict(record.kind), KindForm), "timing": record.timing}
    return TrackedRun(
        schema_version=SCHEMA_VERSION,
        launch=str(record.launch["id"]),
        commit=commit_of(record),
        date=str(record.launch["started"]),
        subject=subject,
        software=software,
        scenarios=scenarios,
        **ours,
    )


def commit_of(record: Record) -> str:
    """Return the commit that a record is of; one of a changed working tree is of none."""
    said = record.commit_info
    return UNCOMMITTED if said.get("dirty") or not said.get("id") else str(said["id"])


def _scenario(scenario: Scenario) -> TrackedScenario | None:
    launches = scenario.arms[ledger.NUMERATOR].launches
    if not ledger.control_of(scenario) or not all(launch.samples for launch in launches):
        return None
    seen = seen_of(scenario)
    assert seen.log_value is not None  # it has a control
    value, *limits = seen.log_value
    low, high = (limit if math.isfinite(limit) else None for limit in limits)
    return TrackedScenario(
        control=seen.control, log_value=value, low=low, high=high, sign=seen.sign, moe=seen.moe, dense=seen.dense,
        hashes=dict(seen.hashes),
    )  # fmt: skip


def by_kind(files: Sequence[Sequence[TrackedRun]]) -> list[TrackedRun]:
    """Return the runs of several files in the order of their dates."""
    return sorted((run for runs in files for run in runs), key=lambda run: run.date)
