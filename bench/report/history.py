"""History by commit: promoted baselines as git has them, and runs that CI tracked, a series a scenario and machine."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from bench.gate import ledger
from bench.gate.history import Move, baseline_names, follow, read_history
from bench.gate.stats import Interval
from bench.harness.environment import kind_slug
from bench.harness.record import differing_inputs
from bench.report.steps import find_steps
from bench.report.tracked import TrackedRun, TrackedScenario
from bench.report.values import Limits, limits, rounded

PROMOTED, TRACKED = "promoted", "run"  # kinds of points


class PointData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scenario at one commit."""

    kind: str
    commit: str
    date: str  # ISO 8601
    value: Limits  # of what is followed: MoE / dense, of a share the MoE's own
    moe: str
    dense: str = ""
    why: str = ""  # reason of a promotion, subject of a run's commit
    change: str = ""  # to the promotion before
    launches: str = ""


class StepData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mark between two points."""

    index: int  # of the first point after it
    what: str  # promotion, other work, or step
    why: str


class SeriesData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scenario on one kind of machine, from the oldest point."""

    machine: str  # a baseline's name: its kind of machine
    scenario: str
    control: str
    points: list[PointData]
    steps: list[StepData] = []


@dataclass(frozen=True, kw_only=True)
class Past:
    """What can be told of the past, and what should be known of it."""

    series: list[SeriesData] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Key = tuple[str, str, str]  # machine, scenario, control
Seen = tuple[PointData, TrackedScenario | None, int]  # a point, of a run also what it followed, and the way of timing


def past_of(baselines: Path | None, runs: Iterable[TrackedRun]) -> Past:
    """Return the history of a folder of baselines and of tracked runs.

    Args:
        baselines: None where nothing of it is asked for; what git cannot tell of it becomes a note.
        runs: in the order of their dates.
    """
    found: dict[Key, list[Seen]] = {}
    notes = _promotions(baselines, found) if baselines else []
    for run in runs:
        machine = f"{kind_slug(_kind(run))}"
        for name, scenario in run.scenarios.items():
            found.setdefault((machine, name, scenario.control), []).append(
                (_tracked(run, scenario), scenario, run.timing)
            )
    return Past(series=[_series(key, seen) for key, seen in found.items()], notes=notes)


def _kind(run: TrackedRun) -> Mapping[str, object]:
    return {name: getattr(run.kind, name) for name in run.kind.__struct_fields__}


def _promotions(baselines: Path, found: dict[Key, list[Seen]]) -> list[str]:
    """Add the promotions of every baseline of a folder; return what should be known."""
    notes: list[str] = []
    try:
        names = baseline_names(baselines)
        entries = ledger.read(baselines)
    except (ValueError, FileNotFoundError) as error:
        return [f"no history of promoted baselines: {error}"]
    for name in names:
        try:
            history = read_history(baselines, name)
        except (ValueError, FileNotFoundError) as error:
            notes.append(f"no history of {name}: {error}")
            continue
        notes += history.notes
        machine = name.removesuffix(".json")
        for scenario, moves in follow(history.promotions, entries, baseline=name).items():
            for move in moves:
                if move.followed:
                    found.setdefault((machine, scenario, move.control), []).append(
                        (_promoted(move, move.followed), None, 0)
                    )
    return notes


def _promoted(move: Move, followed: Interval) -> PointData:
    value = limits(followed)
    assert value is not None  # of positive samples
    return PointData(
        kind=PROMOTED,
        commit=move.promotion.commit,
        date=move.promotion.date,
        value=value,
        moe=move.moe,
        dense=move.dense,
        why=move.promotion.reason,
        change=str(move.change) if move.change else "",
        launches=move.promotion.launches,
    )


def _tracked(run: TrackedRun, scenario: TrackedScenario) -> PointData:
    value = limits(scenario.interval)
    assert value is not None
    return PointData(
        kind=TRACKED, commit=run.commit, date=run.date, value=value, moe=scenario.moe, dense=scenario.dense,
        why=run.subject,
    )  # fmt: skip


def _series(key: Key, seen: Sequence[Seen]) -> SeriesData:
    machine, scenario, control = key
    ordered = sorted(seen, key=lambda one: one[0].date)
    points = [point for point, _, _ in ordered]
    marks = sorted([*_promotion_marks(points), *_run_marks(ordered)], key=lambda mark: mark.index)
    return SeriesData(machine=machine, scenario=scenario, control=control, points=points, steps=marks)


def _promotion_marks(points: Sequence[PointData]) -> list[StepData]:
    """Mark every promotion but the first, with what it changed and why."""
    promoted = [(index, point) for index, point in enumerate(points) if point.kind == PROMOTED]
    return [
        StepData(
            index=index, what="promotion", why=f"{point.change or 'not comparable with the one before'}: {point.why}"
        )
        for index, point in promoted[1:]
    ]


def _run_marks(ordered: Sequence[Seen]) -> list[StepData]:
    """Mark where runs are of other work than before, and where those of the same work step."""
    runs = [(index, scenario, timing) for index, (_, scenario, timing) in enumerate(ordered) if scenario]
    marks, part = [], runs[:1]
    for before, now in itertools.pairwise(runs):
        if why := _unlike(before[1], now[1], before[2], now[2]):
            marks += [StepData(index=now[0], what="other work", why=why), *_step_marks(part)]
            part = []
        part.append(now)
    return [*marks, *_step_marks(part)]


def _unlike(before: TrackedScenario, now: TrackedScenario, timed: int, timing: int) -> str:
    """Say why two runs are not comparable; empty where they are."""
    if other := differing_inputs(before.hashes, now.hashes):
        return f"another {' and '.join(other)} hash: not comparable with what was before"
    return "timed in another way: not comparable with what was before" if timed != timing else ""


def _step_marks(part: Sequence[tuple[int, TrackedScenario, int]]) -> list[StepData]:
    """Mark the steps of runs of the same work; above 0 is worse."""
    marks = []
    for step in find_steps([scenario.log_value for _, scenario, _ in part]):
        index, scenario, _ = part[step.first]
        worse = 100 * math.expm1(scenario.sign * step.log_ratio)
        marks.append(StepData(index=index, what="step", why=f"{worse:+.1f} %, p = {rounded(step.p_value, 2)}"))
    return marks
