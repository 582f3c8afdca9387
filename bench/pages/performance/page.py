"""The page on performance: points grouped as its tables show them, and where they were measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean

from bench.harness.record import Record
from bench.pages.grouping import grouped
from bench.pages.performance.points import DECODE, EXPERTS, Point, read_points, voided
from bench.pages.processors import said_apart
from bench.pages.provenance import sources
from bench.pages.write import Content

TABLES = {"experts": EXPERTS, "decode": DECODE}  # a table's name -> the benchmark that its rows are of
PLACE = ("device", "condition", "threads")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Points that are alike in all but scale and size, and perhaps dtype."""

    points: Sequence[Point]
    first: Point  # of them, for what they share
    compared: Sequence[Point]  # those with another project's code beside ours
    mean: float | None  # geometric, of the time of the fastest of theirs over ours; None without such points


def performance_page(records: Mapping[Path, Record]) -> Content:
    """Return what the page holds.

    Args:
        records: of bench_experts and of decode_peers, by their paths.

    Raises:
        ValueError: as `read_points`.
    """
    points = read_points(records)
    counting = [point for point in points if not point.again]
    experts = [point for point in counting if point.benchmark == EXPERTS]
    decode = [point for point in counting if point.benchmark == DECODE]
    facts = {
        "devices": sorted({str(record.kind["device"]) for record in records.values()}),
        "models": said_apart(sorted({point.device for point in counting})),
        "experts": groups(experts, *PLACE, "dtype", "routing", "backend"),
        "pooled": [group for group in groups(experts, *PLACE, "routing", "backend") if _dtypes(group) > 1],
        "sizes": sorted({point.size for point in experts}),
        "decode": groups(decode, *PLACE, "dtype", "scale", "workload", "seq_len", "routing", "units"),
        "again": [point for point in points if point.again],
        "missing": [
            *(one for record in records.values() for one in record.why_not_fitting().items()),
            *((name, "") for record in records.values() for name in voided(record)),
        ],
        "sources": sources(records),
    }
    tables = {name: [point for point in points if point.benchmark == of] for name, of in TABLES.items()}
    return Content("performance/template.md", facts, tables, {})


def groups(points: Sequence[Point], *alike: str) -> list[Group]:
    """Return points of which each is alike in these fields or axes together."""
    parts = grouped(points, lambda point: tuple(getattr(point, name, point.axis.get(name)) for name in alike))
    return [_group(part) for part in parts]


def _group(points: Sequence[Point]) -> Group:
    compared = [point for point in points if point.theirs_over_ours]
    ratios = [point.theirs_over_ours.estimate for point in compared if point.theirs_over_ours]
    mean = geometric_mean(ratios) if ratios else None
    return Group(points=points, first=points[0], compared=compared, mean=mean)


def _dtypes(group: Group) -> int:
    return len({point.dtype for point in group.compared})
