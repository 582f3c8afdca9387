"""Records of one machine, and the best that any of them has measured of it.

Floors of results and performance are by these peaks. Other guests of a host make a machine slower than it is, never
faster: by the peaks of its own launch alone a floor can be beaten, and is not the least time.
"""

from collections.abc import Sequence
from dataclasses import replace

from bench.harness.peaks import MATMUL
from bench.harness.record import Record

OF_PRODUCTS = ("dtype", "torch")  # tell nothing of how fast memory moves


def machine_of(record: Record, without: Sequence[str] = ()) -> str:
    """Return what tells machines apart; a CPU is the same, however many cores stand idle beside its threads.

    Args:
        without: fields of a record's kind that make no difference.
    """
    idle = (*without, "device_count") if record.kind["device"] == "cpu" else without
    return str(sorted(item for item in record.kind.items() if item[0] not in idle))


def with_best_peaks(records: Sequence[Record]) -> list[Record]:
    """Return the records in their order, each with the best peaks of its machine; of products, those of its dtype."""
    best: dict[tuple[str, str], float] = {}
    for record in records:
        for name, value in record.peaks.items():
            best[name, _place(record, name)] = max(value, best.get((name, _place(record, name)), 0.0))
    names = dict.fromkeys(name for name, _ in best)
    places = [{name: _place(record, name) for name in names} for record in records]
    return [
        replace(record, peaks={name: best[name, place] for name, place in of.items() if (name, place) in best})
        for record, of in zip(records, places, strict=True)
    ]


def _place(record: Record, peak: str) -> str:
    return machine_of(record, () if peak == MATMUL else OF_PRODUCTS)
