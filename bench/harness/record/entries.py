"""Build benchmark entries: those of the other arms, and those of several launches in one."""

import copy
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from bench.harness.arms import ANCHOR
from bench.harness.environment import differences
from bench.harness.peaks import Cost
from bench.harness.record.lists import entries_of, parted
from bench.harness.record.schema import COUNTED, KEY, TIMED, Json
from bench.harness.record.storage import seal
from bench.harness.record.view import Record

SIGNIFICANT_DIGITS = 6  # of a merged sample: far finer than any clock's noise, and half the file


def arm_entry(
    primary: Json,
    *,
    arm: str,
    launches: Sequence[Json],
    cost: Cost | None = None,
    path: str = "",
    kernel: str = "",
) -> dict[str, Any]:
    """Build the entry of another arm of the same scenario from the MoE arm's, with our extra_info and no statistics.

    Args:
        launches: [{"id", "samples", "voided"}], samples per unit.
        cost: of one unit of this arm.
        path: that it took, where there are several.
        kernel: that its largest operations ran on, where there is a choice.
    """
    entry = copy.deepcopy(dict(primary))
    entry["name"], entry["fullname"] = f"{primary['name']}:{arm}", f"{primary['fullname']}:{arm}"
    told = {"cost": cost, "path": path, "kernel": kernel}
    entry["extra_info"][KEY].update(arm=arm, launches=[dict(launch) for launch in launches], **told)
    if arm == ANCHOR:  # its work is frozen: it makes no tokens, and a sample is one run of it
        entry["extra_info"][KEY].update(num_units=1, rates={})
    return {key: value for key, value in entry.items() if key != "stats"}


def merge(documents: Sequence[Json]) -> dict[str, Any]:
    """Join the launches of several valid records; a scenario that once answered wrongly is left out of all.

    Returns:
        A sealed document: the first one's, with all launches, statistics over them and the median of the peaks.

    Raises:
        ValueError: if kinds, scenarios, hashes, units, paths or kernels differ, or a launch is there twice; names the
            scenario.
    """
    records = [Record.from_document(document) for document in documents]
    wrong = {name: why for record in records for name, why in record.wrong.items()}
    documents = [
        {
            **document,
            TIMED: [e for e in entries_of(document) if e["extra_info"][KEY]["scenario"] not in wrong],
            COUNTED: [],
        }
        for document in documents  # all in one list, to be parted at the end
    ]
    records = [Record.from_document(document) for document in documents]
    _check_mergeable(records)
    merged = copy.deepcopy(dict(documents[0]))
    for entry in merged[TIMED]:
        _join_launches(entry["extra_info"][KEY], records)
    merged.update(parted(merged[TIMED], with_data=False))
    headers = [document[KEY] for document in documents]
    merged[KEY]["launch_headers"] = [h for header in headers for h in header.get("launch_headers", [header["launch"]])]
    merged[KEY]["peaks"] = {
        name: statistics.median(record.peaks[name] for record in records if name in record.peaks)
        for name in records[0].peaks
    }
    merged[KEY]["injected"] = {arm: factor for record in records for arm, factor in record.injected.items()}
    merged[KEY]["complete"] = all(record.complete for record in records)
    merged[KEY]["wrong"] = [{"scenario": name, "why": why} for name, why in wrong.items()]
    merged[KEY]["filtered"] = any(record.filtered for record in records)
    return seal(merged)


def _join_launches(ours: dict[str, Any], records: Iterable[Record]) -> None:
    """Replace the launches of one arm's extra_info with those of all records."""
    known = [launch for record in records for launch in record.scenarios[ours["scenario"]].arms[ours["arm"]].launches]
    ours["launches"] = [
        {"id": one.id, "samples": [float(f"{s:.{SIGNIFICANT_DIGITS}g}") for s in one.samples], "voided": one.voided}
        for one in known
    ]


def _check_mergeable(records: Sequence[Record]) -> None:
    """Demand one kind of machine, the same arms of the same scenarios on the same inputs, and each launch once."""
    if not records:
        raise ValueError("records to merge must be one or more, got none; name the files")
    first = records[0]
    for record in records[1:]:
        if other := differences(first.kind, record.kind):
            raise ValueError(f"records must be of one kind of machine, got {'; '.join(other)}; leave the others out")
        if first.timing != record.timing:
            raise ValueError(
                f"records must be timed alike, got timing {first.timing} and {record.timing}; measure anew"
            )
        if other := differences(_identities(first), _identities(record)):
            raise ValueError(f"records must hold the same arms and inputs, got {other[0]}; measure all in each launch")
    for scenario in first.scenarios:
        ids = [launch_id for record in records for launch_id in record.scenarios[scenario].launch_ids]
        if twice := sorted({launch_id for launch_id in ids if ids.count(launch_id) > 1}):
            raise ValueError(
                f"a launch must be there once, got {', '.join(twice)} twice in {scenario}; name a file once"
            )


def _identities(record: Record) -> dict[str, object]:
    """Map each arm of each scenario to what must be equal for its samples to be joined."""
    return {
        f"{scenario.id} {arm}": (series.metric, series.num_units, dict(series.hashes), series.path, series.kernel)
        for scenario in record.scenarios.values()
        for arm, series in scenario.arms.items()
    }
