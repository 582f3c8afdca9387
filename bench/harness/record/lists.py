"""A document's two lists of entries: of times, which other tools read, and of what is counted, which they must not.

Who reads pytest-benchmark's JSON takes every number in it for seconds: bytes and accuracies stand in a list of ours.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pytest_benchmark.stats import Stats

from bench.harness.metrics import metric
from bench.harness.record.schema import COUNTED, KEY, TIMED, Json

_new_stats: Callable[[], Any] = Stats  # pytest-benchmark's statistics carry no types


def call_seconds(ours: Json) -> Any:
    """Return pytest-benchmark's statistics of whole calls: samples, of our clock and per unit, times units."""
    stats = _new_stats()
    stats.data = [sample * ours["num_units"] for launch in ours["launches"] for sample in launch["samples"]]
    return stats


def is_timed(ours: Json) -> bool:
    """Tell whether an arm's samples are seconds."""
    return metric(ours["metric"]).unit == "s"


def entries_of(document: Json) -> list[dict[str, Any]]:
    """Return the entries of both lists; old records have all in one."""
    return [*document[TIMED], *document.get(COUNTED, ())]


def parted(entries: Iterable[Json], *, with_data: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Part entries into the two lists: times with statistics of their samples, counts with none, others' as they are.

    Args:
        with_data: statistics hold the seconds of each call too.
    """
    lists: dict[str, list[dict[str, Any]]] = {TIMED: [], COUNTED: []}
    for entry in entries:
        ours, plain = entry["extra_info"].get(KEY), {key: value for key, value in entry.items() if key != "stats"}
        if ours is None:
            lists[TIMED].append(dict(entry))
        elif is_timed(ours):
            lists[TIMED].append({**plain, "stats": _stats(ours, with_data=with_data)})
        else:
            lists[COUNTED].append(plain)
    return lists


def _stats(ours: Json, *, with_data: bool) -> dict[str, Any]:
    stats = call_seconds(ours)
    values = stats.as_dict() if stats else dict.fromkeys(Stats.fields, 0)  # no block was left: readers want numbers
    return {**values, **({"data": stats.data} if with_data else {}), "iterations": 1}
