"""A record's typed view, and the rules between its parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.harness.arms import PRIMARY
from bench.harness.backends import Backend, RanOn, libraries_of, read_backends
from bench.harness.documents import DocumentError, document_of
from bench.harness.forms import checked
from bench.harness.paths import unlike_paths
from bench.harness.record.schema import COUNTED, KEY, TIMED, ArmSeries, DocumentForm, EntryForm, Json

INPUT_HASHES = ("workload", "routing")  # outputs may round differently
READ_REMEDY = "measure it again, or restore the file from version control"


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
    timing: int = 1  # see `blocks.TIMING`
    commit_info: Json = field(default_factory=dict)  # pytest-benchmark's: of the commit that was measured
    launches: tuple[Json, ...] = ()  # the headers of all launches of a merged record, else the one

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
        with document_of(path or "record", remedy=READ_REMEDY):
            return _view(document, path)


def differing_inputs(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Name the inputs in whose hashes two measurements differ: then they are not of the same work.

    >>> differing_inputs({"workload": "a", "output": "b"}, {"workload": "c", "output": "d"})
    ['workload']
    """
    return [name for name in INPUT_HASHES if mine.get(name) != theirs.get(name)]


def _view(document: object, path: Path | None) -> Record:
    form = checked(document, DocumentForm)
    assert isinstance(document, dict)
    ours, header = form.moevlm, document[KEY]
    scenarios = _scenarios({TIMED: form.benchmarks, COUNTED: form.counted})
    if both := [one.scenario for one in ours.wrong if one.scenario in scenarios]:
        raise DocumentError(f"must name no scenario that has samples, got {', '.join(both)}", place=f"{KEY}.wrong")
    if ours.wrong and ours.complete:
        rule = f"must be false where answers are wrong, got true with {', '.join(one.scenario for one in ours.wrong)}"
        raise DocumentError(rule, place=f"{KEY}.complete")
    return Record(
        path=path,
        fingerprint=header["fingerprint"],
        kind=header["kind"],
        launch=header["launch"],
        peaks=ours.peaks,
        options=header["options"],
        injected=ours.injected,
        complete=ours.complete,
        filtered=ours.filtered,
        selected=ours.selected,
        not_fitting=tuple(header["not_fitting"]),
        wrong={one.scenario: one.why for one in ours.wrong},
        promotion=header.get("promotion"),
        scenarios=scenarios,
        backends=read_backends(ours.backends),
        timing=ours.timing,
        commit_info=form.commit_info,
        launches=tuple(header.get("launch_headers") or (header["launch"],)),
    )


def _scenarios(lists: Mapping[str, Sequence[EntryForm]]) -> dict[str, Scenario]:
    """Gather the arms of each scenario."""
    arms: dict[str, dict[str, ArmSeries]] = {}
    for place, entry in ((f"{name}[{i}]", entry) for name, entries in lists.items() for i, entry in enumerate(entries)):
        one = entry.extra_info.moevlm
        known = arms.setdefault(one.scenario, {})
        if one.arm in known:
            raise DocumentError(f"must hold an arm of a scenario once, got {one.scenario} {one.arm} twice", place=place)
        ids = [launch.id for launch in one.launches]
        if not ids or len(set(ids)) < len(ids):
            rule = f"must be one or more with different ids, got {ids!r:.200}"
            raise DocumentError(rule, place=f"{place}.extra_info.{KEY}.launches")
        known[one.arm] = one
    return {scenario: _scenario(scenario, members) for scenario, members in arms.items()}


def _scenario(name: str, arms: Mapping[str, ArmSeries]) -> Scenario:
    """Demand the arm that others are held against, one path, and that the same index is the same block in every arm."""
    if PRIMARY not in arms:
        raise DocumentError(f"must hold the arm {PRIMARY} of {name}, got {', '.join(arms)}", place="benchmarks")
    blocks = {arm: [(one.id, len(one.samples)) for one in series.launches] for arm, series in arms.items()}
    if any(counts != blocks[PRIMARY] for counts in blocks.values()):
        raise DocumentError(
            f"must hold the same launches and blocks of the arms of {name}, got {blocks!r:.200}", place="benchmarks"
        )
    if unlike := unlike_paths({arm: series.path for arm, series in arms.items()}):
        raise DocumentError(f"must hold arms of {name} that took one path, got {unlike}", place="benchmarks")
    return Scenario(id=name, arms=arms)
