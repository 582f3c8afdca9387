"""Records of one machine, and the best that any of them has measured of it.

A page's floors are by these peaks. Other guests of a host make a machine slower than it is, never faster: by the peaks
of its own launch alone a floor can be beaten, and is not the least time.
"""

from collections.abc import Sequence
from dataclasses import replace

from bench.harness.record import Record
from bench.pages.grouping import grouped


def machine_of(record: Record) -> str:
    """Return what tells machines apart; a CPU is the same, however many cores stand idle beside its threads."""
    idle = ("device_count",) if record.kind["device"] == "cpu" else ()
    return str(sorted(item for item in record.kind.items() if item[0] not in idle))


def with_best_peaks(records: Sequence[Record]) -> list[Record]:
    """Return the records in their order, each with its machine's best peak of every name."""
    best = {machine_of(of_one[0]): _best_peaks(of_one) for of_one in grouped(records, machine_of)}
    return [replace(record, peaks=best[machine_of(record)]) for record in records]


def _best_peaks(records: Sequence[Record]) -> dict[str, float]:
    names = dict.fromkeys(name for record in records for name in record.peaks)
    return {name: max(record.peaks.get(name, 0.0) for record in records) for name in names}
