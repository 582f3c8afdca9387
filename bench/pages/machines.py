"""Records of one machine, and the best that any of them has measured of it.

Floors of results and performance are by these peaks. Other guests of a host make a machine slower than it is, never
faster: by the peaks of its own launch alone a floor can be beaten, and is not the least time.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.harness.peaks import MATMUL
from bench.harness.record import Record
from bench.pages.grouping import grouped

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
    products, moves = _best(records, machine_of), _best(records, _memory_of)
    return [replace(one, peaks={**moves[_memory_of(one)], **_products(products[machine_of(one)])}) for one in records]


def _memory_of(record: Record) -> str:
    return machine_of(record, OF_PRODUCTS)


def _products(peaks: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in peaks.items() if name == MATMUL}


def _best(records: Sequence[Record], key: Callable[[Record], str]) -> dict[str, dict[str, float]]:
    """Return the best peak of every name of the records of one key."""
    groups = {key(of_one[0]): [one.peaks for one in of_one] for of_one in grouped(records, key)}
    return {
        place: {name: max(each.get(name, 0.0) for each in peaks) for name in dict.fromkeys(n for p in peaks for n in p)}
        for place, peaks in groups.items()
    }
