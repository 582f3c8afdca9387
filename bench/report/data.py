"""The page's data: sources with machines, scenarios, speed-ups, layers, fronts, the past, and what is not shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.gate.verdict import EXIT_CODES, ScenarioVerdict
from bench.harness.environment import describe
from bench.harness.record import Record
from bench.harness.wording import counted
from bench.pages.report import machine_line
from bench.report.fronts import FrontData, fronts_of
from bench.report.history import SeriesData, past_of
from bench.report.inputs import Inputs
from bench.report.judged import Judged, judged
from bench.report.layers import LayerData, layers_of
from bench.report.scenarios import ScenarioData, metrics_of, of_comparison, of_record
from bench.report.speedups import SpeedUp, extrapolated, largest_first, measured
from bench.report.tracked import by_kind, commit_of

RECORD, BASELINE, COMPARISON, FRONT, RUNS = "record", "baseline", "comparison", "front", "tracked runs"
SCHEMA_VERSION = 1


class SourceData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file that is shown."""

    file: str
    kind: str
    machine: str = ""  # device, dtype and threads
    software: str = ""  # with versions, device and measured peaks, in a line
    commit: str = ""
    base: str = ""  # commit of a comparison's other side
    launches: dict[str, str] = {}  # when each started
    notes: list[str] = []


class ReportData(Struct, frozen=True, kw_only=True):
    """All that the page shows."""

    schema_version: int
    title: str
    repository: str  # address that commits are linked to; empty: they are not
    sources: list[SourceData]
    scenarios: list[ScenarioData]
    metrics: dict[str, dict[str, str]]
    verdicts: list[str]  # all there are, the least severe first
    speedups: list[SpeedUp]
    layers: list[LayerData]
    fronts: list[FrontData]
    history: list[SeriesData]
    notes: list[str]  # what a reader should know of all of it
    problems: list[tuple[str, str]]  # file, and why it is not shown


@dataclass(kw_only=True)
class Gathered:
    """What is gathered, source by source."""

    sources: list[SourceData] = field(default_factory=list)
    scenarios: list[ScenarioData] = field(default_factory=list)
    layers: list[LayerData] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def report_data(
    inputs: Inputs,
    *,
    baselines: Path | None,
    repository: str = "",
    said: Mapping[str, Mapping[str, ScenarioVerdict]] | None = None,
) -> ReportData:
    """Return what the page shows of what was read.

    Args:
        inputs: the files' content.
        baselines: the folder by which records are judged, and whose history is told.
        repository: address that commits are linked to.
        said: verdicts of records that are known already, by name.
    """
    found = Gathered()
    for name, record in inputs.records.items():
        known = (said or {}).get(name)
        _add_record(found, name, record, judged(record, baselines) if known is None else Judged(known))
    for name, compared in inputs.compared.items():
        place = len(found.sources)
        notes = [*compared.notes, *(["head's working tree had changes"] if compared.head.is_dirty else [])]
        found.sources.append(
            SourceData(
                file=name,
                kind=COMPARISON,
                machine="base beside head",
                software=compared.software,
                notes=notes,
                commit=compared.head.commit,
                base=compared.base.commit,
            )
        )
        found.scenarios += of_comparison(compared, place)
    found.sources += [
        SourceData(file=name, kind=FRONT, machine=one.origins[0].machine) for name, one in inputs.tiers.items()
    ]
    found.sources += [
        SourceData(file=name, kind=RUNS, notes=[counted(len(runs), "run")]) for name, runs in inputs.tracked.items()
    ]
    whole = _extrapolated(found, inputs)
    past = past_of(baselines, by_kind(list(inputs.tracked.values())))
    return ReportData(
        schema_version=SCHEMA_VERSION,
        title="moevlm",
        repository=repository,
        sources=found.sources,
        scenarios=found.scenarios,
        metrics=metrics_of(found.scenarios),
        verdicts=[verdict.value for verdict in EXIT_CODES],
        speedups=largest_first([*measured(found.scenarios, [one.machine for one in found.sources]), *whole]),
        layers=found.layers,
        fronts=[front for name, tier in inputs.tiers.items() for front in fronts_of(name, tier)],
        history=past.series,
        notes=[*_mixed(found.sources), *found.notes, *past.notes],
        problems=[(one.file, one.why) for one in inputs.problems],
    )


def _add_record(found: Gathered, name: str, record: Record, told: Judged) -> None:
    place = len(found.sources)
    found.sources.append(_source(name, record, told.why_not))
    found.scenarios += of_record(record, place, told.verdicts)
    try:
        found.layers += layers_of(record, place)
    except (ValueError, KeyError) as error:
        found.notes.append(f"layers of {name} are not drawn: {error}")


def _source(name: str, record: Record, why_not: str) -> SourceData:
    started: dict[str, Any] = {str(header["id"]): str(header["started"]) for header in record.launches}
    return SourceData(
        file=name,
        kind=BASELINE if record.promotion else RECORD,
        machine=describe(record.kind),
        software=machine_line(record),
        commit=commit_of(record),
        launches=started,
        notes=_notes(record, why_not),
    )


def _notes(record: Record, why_not: str) -> list[str]:
    """Say of a record what its figures alone do not."""
    slowed = ", ".join(f"{arm} {factor:g} times" for arm, factor in record.injected.items())
    promoted = record.promotion or {}
    told = [
        f"not compared: {why_not}" if why_not else "",
        f"promoted: {promoted.get('reason', '')}" if promoted else "",
        f"slowed on purpose: {slowed}" if slowed else "",
        "" if record.complete else "incomplete: scenarios are missing or failed",
        "scenarios were deselected" if record.filtered else "",
    ]
    return [*filter(None, told), *(f"{name}: not measured, {why}" for name, why in record.why_not_fitting().items())]


def _mixed(sources: Sequence[SourceData]) -> list[str]:
    machines = dict.fromkeys(one.machine for one in sources if one.kind in (RECORD, BASELINE))
    if len(machines) < 2:
        return []
    named = "; ".join(machines)
    return [f"{len(machines)} kinds of machine, whose times are not comparable: {named}. Filter by machine"]


def _extrapolated(found: Gathered, inputs: Inputs) -> list[SpeedUp]:
    try:
        whole, dropped = extrapolated(inputs.records.values())
    except (ValueError, KeyError) as error:
        found.notes.append(f"slices are not extrapolated: {error}")
        return []
    found.notes += [f"{one.scenario} against {one.against} is not extrapolated: {one.why}" for one in dropped]
    return whole
