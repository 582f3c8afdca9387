"""The schema of a record: its typed view, and the rules that a document must keep."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any

from bench.harness.backends import Backend, RanOn, libraries_of, read_backends
from bench.harness.metrics import METRICS
from bench.harness.peaks import Cost

SCHEMA_VERSION = 1
INPUT_HASHES = ("workload", "routing")  # outputs may round differently
KEY = "moevlm"  # of our part in the document and in a benchmark's extra_info
READ_REMEDY = "measure it again, or restore the file from version control"

Json = Mapping[str, Any]

HEADER_FIELDS: dict[str, tuple[type, ...]] = {
    "fingerprint": (dict,),
    "kind": (dict,),
    "launch": (dict,),
    "peaks": (dict,),
    "options": (dict,),
    "injected": (dict,),
    "complete": (bool,),
    "not_fitting": (list,),
}
SERIES_FIELDS: dict[str, tuple[type, ...]] = {
    "scenario": (str,),
    "arm": (str,),
    "metric": (str,),
    "num_units": (int, float),
    "anchor": (str, NoneType),
    "rates": (dict,),
    "params": (dict,),
    "hashes": (dict,),
    "cost": (dict, NoneType),
    "facts": (dict,),
    "launches": (list,),
}
WRONG_FIELDS: dict[str, tuple[type, ...]] = {"scenario": (str,), "why": (str,)}
LAUNCH_FIELDS: dict[str, tuple[type, ...]] = {"id": (str,), "samples": (list,), "voided": (int,)}
COST_UNITS = ("flops", "bytes")
JSON_NAMES = {dict: "object", list: "list", str: "string", int: "integer", float: "number", bool: "boolean"}
JSON_NAMES[NoneType] = "null"


class CorruptRecord(ValueError):  # noqa: N818  # named after its verdict, CORRUPT
    """A record cannot be used: unreadable, truncated, of another schema, changed, or with impossible samples."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What one process measured of one arm."""

    id: str
    samples: tuple[float, ...]  # one a block, per unit, in the metric's unit
    voided: int  # blocks dropped because the device was throttled


@dataclass(frozen=True, kw_only=True)
class ArmSeries:
    """All samples of one arm of one scenario."""

    scenario: str
    arm: str
    metric: str
    num_units: float  # a sample times this is one call
    anchor: str | None
    rates: Mapping[str, float]  # throughput metric -> quantity per unit
    params: Json
    hashes: Mapping[str, str]
    cost: Cost | None  # of one unit
    facts: Json
    launches: tuple[Launch, ...]


@dataclass(frozen=True, kw_only=True, eq=False)  # itself alone, so that what is computed of it can be kept
class Scenario:
    """One benchmark id: its arms have the same launches with the same blocks."""

    id: str
    arms: Mapping[str, ArmSeries]

    @property
    def launch_ids(self) -> tuple[str, ...]:
        """Return the ids of the processes that measured this scenario."""
        return tuple(launch.id for launch in next(iter(self.arms.values())).launches)


@dataclass(frozen=True, kw_only=True)
class Record:
    """Typed view of a record's document; a baseline is a record with a promotion."""

    path: Path | None
    fingerprint: Json
    kind: Json
    launch: Json
    peaks: Mapping[str, float]
    options: Json
    injected: Mapping[str, float]  # arm -> factor of a rehearsed slowdown
    complete: bool  # every selected scenario was measured and none failed
    filtered: bool  # scenarios were deselected
    selected: tuple[str, ...]  # ids of what the run was to measure, or knew to be measured
    not_fitting: tuple[Json, ...]
    wrong: Mapping[str, str]  # scenario whose answer did not agree with the oracle's -> in what
    promotion: Json | None
    scenarios: Mapping[str, Scenario]
    backends: Mapping[str, Backend] = field(default_factory=dict)  # of the project; records did not always tell

    @property
    def ran_on(self) -> RanOn:
        """Return libraries and kernels."""
        return RanOn(libraries_of(self.fingerprint), self.backends)

    def why_not_fitting(self) -> dict[str, str]:
        """Return by scenario id why it was not measured: no memory for it, or skipped."""
        return {str(entry["scenario"]): str(entry.get("reason", "skipped")) for entry in self.not_fitting}

    @classmethod
    def from_document(cls, document: object, path: Path | None = None) -> "Record":
        """Check a document against the schema, but not its checksum, and view it; the path is named in messages.

        Raises:
            CorruptRecord: if a rule of the schema is broken.
        """
        try:
            return _parse_record(document, path)
        except ValueError as error:
            raise CorruptRecord(f"{path or 'record'}: {error}; {READ_REMEDY}") from error


def differing_inputs(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Name the inputs in whose hashes two measurements differ: then they are not of the same work.

    >>> differing_inputs({"workload": "a", "output": "b"}, {"workload": "c", "output": "d"})
    ['workload']
    """
    return [name for name in INPUT_HASHES if mine.get(name) != theirs.get(name)]


def _checked(value: object, kinds: tuple[type, ...], where: str) -> Any:
    """Return the value if JSON gave it one of these types."""
    if type(value) not in kinds:
        raise ValueError(f"{where} must be {' or '.join(JSON_NAMES[kind] for kind in kinds)}, got {value!r:.60}")
    return value


def _fields(value: object, table: Mapping[str, tuple[type, ...]], where: str) -> dict[str, Any]:
    """Return the fields that a table asks for, each of its type."""
    found = _checked(value, (dict,), where)
    missing = [name for name in table if name not in found]
    if missing:
        raise ValueError(f"{where} must have {', '.join(table)}, got no {', '.join(missing)}")
    return {name: _checked(found[name], kinds, f"{where}.{name}") for name, kinds in table.items()}


def _check_numbers(table: Json, where: str) -> None:
    """Demand that every value is a finite number."""
    for name, value in table.items():
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(f"{where}.{name} must be a finite number, got {value!r:.60}")


def _check_cost(cost: Json, where: str) -> None:
    """Demand numbers, and of each part two."""
    _check_numbers({name: value for name, value in cost.items() if name != "parts"}, where)
    for index, part in enumerate(_checked(cost.get("parts", []), (list,), f"{where}.parts")):
        if len(_checked(part, (list,), f"{where}.parts[{index}]")) != len(COST_UNITS):
            raise ValueError(f"{where}.parts[{index}] must be [{', '.join(COST_UNITS)}], got {part!r:.60}")
        _check_numbers(dict(zip(COST_UNITS, part, strict=True)), f"{where}.parts[{index}]")


def _parse_record(document: object, path: Path | None) -> Record:
    top = _fields(document, {KEY: (dict,), "benchmarks": (list,)}, "the document")
    header = top[KEY]
    if header.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"schema_version must be {SCHEMA_VERSION}, got {header.get('schema_version')!r}")
    fields = _fields(header, HEADER_FIELDS, KEY)
    for name in ("peaks", "injected"):
        _check_numbers(fields[name], f"{KEY}.{name}")
    scenarios = _parse_scenarios(top["benchmarks"])
    return Record(
        **{**fields, "not_fitting": tuple(fields["not_fitting"])},
        path=path,
        backends=_parse_backends(header.get("backends", {})),
        wrong=_parse_wrong(header.get("wrong", []), scenarios, is_complete=fields["complete"]),
        selected=tuple(_checked(header.get("selected", []), (list,), f"{KEY}.selected")),
        filtered=_checked(header.get("filtered", False), (bool,), f"{KEY}.filtered"),
        promotion=_checked(header.get("promotion"), (dict, NoneType), f"{KEY}.promotion"),
        scenarios=scenarios,
    )


def _parse_backends(value: object) -> dict[str, Backend]:
    """Demand of each backend a list of names, and a reason."""
    where = f"{KEY}.backends"
    found = _checked(value, (dict,), where)
    for name, backend in found.items():
        if [type(part) for part in _checked(backend, (list,), f"{where}.{name}")] != [list, str]:
            raise ValueError(f"{where}.{name} must be [[NAME, ...], REASON], got {backend!r:.60}")
    return read_backends(found)


def _parse_wrong(entries: object, measured: Collection[str], *, is_complete: bool) -> dict[str, str]:
    """Demand that what answered wrongly was not measured, and that no run which met it calls itself complete."""
    where = f"{KEY}.wrong"
    fields = [
        _fields(entry, WRONG_FIELDS, f"{where}[{i}]") for i, entry in enumerate(_checked(entries, (list,), where))
    ]
    wrong: dict[str, str] = {entry["scenario"]: entry["why"] for entry in fields}
    if both := [name for name in wrong if name in measured]:
        raise ValueError(f"{where} must name no scenario that has samples, got {', '.join(both)}")
    if wrong and is_complete:
        raise ValueError(f"{KEY}.complete must be false where answers are wrong, got true with {', '.join(wrong)}")
    return wrong


def _parse_scenarios(entries: Sequence[object]) -> dict[str, Scenario]:
    arms: dict[str, dict[str, ArmSeries]] = {}
    for index, entry in enumerate(entries):
        where = f"benchmarks[{index}].extra_info"
        extra = _fields(entry, {"extra_info": (dict,)}, f"benchmarks[{index}]")["extra_info"]
        series = _parse_series(_fields(extra, {KEY: (dict,)}, where)[KEY], f"{where}.{KEY}")
        known = arms.setdefault(series.scenario, {})
        if series.arm in known:
            raise ValueError(f"an arm of a scenario must be there once, got {series.scenario} {series.arm} twice")
        known[series.arm] = series
    for scenario, members in arms.items():  # the same index is the same block in every arm
        blocks = {name: {one.id: len(one.samples) for one in arm.launches} for name, arm in members.items()}
        if len({json.dumps(counts) for counts in blocks.values()}) > 1:
            raise ValueError(f"arms of {scenario} must have the same launches and blocks, got {blocks!r:.200}")
    return {scenario: Scenario(id=scenario, arms=members) for scenario, members in arms.items()}


def _parse_series(value: object, where: str) -> ArmSeries:
    fields = _fields(value, SERIES_FIELDS, where)
    if fields["metric"] not in METRICS:
        raise ValueError(f"{where}.metric must be one of {', '.join(METRICS)}, got {fields['metric']!r}")
    _check_numbers(fields["rates"], f"{where}.rates")
    _check_cost(fields["cost"] or {}, f"{where}.cost")
    if not fields["num_units"] > 0:
        raise ValueError(f"{where}.num_units must be above 0, got {fields['num_units']}")
    launches = tuple(_parse_launch(launch, f"{where}.launches[{i}]") for i, launch in enumerate(fields["launches"]))
    ids = [launch.id for launch in launches]
    if not ids or len(set(ids)) < len(ids):
        raise ValueError(f"{where}.launches must be one or more with different ids, got {ids}")
    return ArmSeries(**{**fields, "launches": launches})


def _parse_launch(value: object, where: str) -> Launch:
    fields = _fields(value, LAUNCH_FIELDS, where)
    if not fields["samples"] and not fields["voided"]:
        raise ValueError(f"{where}.samples must be one or more unless blocks were voided, got none")
    for sample in fields["samples"]:
        if type(sample) not in (int, float) or not math.isfinite(sample) or sample <= 0:
            raise ValueError(f"{where}.samples must be finite and above 0, got {sample!r:.60}")
    return Launch(**{**fields, "samples": tuple(map(float, fields["samples"]))})
