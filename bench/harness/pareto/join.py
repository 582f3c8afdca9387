"""Entries of documents -> points: what was trained with several seeds, or run several times, is one point."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from bench.harness.pareto.points import AXES, LIMITS, MEASURED, Point, joined_rate, joined_share
from bench.harness.stats import Interval

SMOES = "smoes"  # how the names of SMoES' variants begin
COEF = "specialization_coef"  # weight of the specialization loss: a twin trained with another one is another model

Json = Mapping[str, Any]


def join_entries(tier: str, entries: Sequence[Json]) -> tuple[Point, ...]:
    """Make a point of all entries of one model on one task.

    Args:
        tier: Of all of them.
        entries: Checked ones, of any tasks and models.

    Raises:
        ValueError: A seed of a model is there twice.
    """
    usual = Counter(entry.get(COEF) for entry in entries).most_common(1)[0][0]
    groups: dict[tuple[str, str, str], list[Json]] = {}
    for entry in entries:
        groups.setdefault((entry["task"], _series(entry, usual), entry["size"]), []).append(entry)
    return tuple(_point(tier, series, of_one) for (_, series, _), of_one in groups.items())


def _series(entry: Json, usual: float | None) -> str:
    """Name the variant, with the weight of its specialization loss where it is not the usual one."""
    coef = entry.get(COEF)
    return str(entry["variant"]) if coef in (usual, None) else f"{entry['variant']} at {coef:g}"


def _point(tier: str, series: str, entries: Sequence[Json]) -> Point:
    first = entries[0]
    given = [entry["seed"] for entry in entries if "seed" in entry]
    if len(set(given)) < len(given):
        raise ValueError(
            f"each seed of {first['task']} {series} {first['size']} must be there once, got seeds {sorted(given)}; "
            "give each document once"
        )
    seeds = {entry.get("seed", index): entry for index, entry in enumerate(entries)}
    blind = [entry["blind"]["all"]["estimate"] for entry in entries if "blind" in entry]
    unparsed = [entry["unparsed_rate"] for entry in entries if "unparsed_rate" in entry]
    return Point(
        tier=tier,
        task=first["task"],
        series=series,
        size=first["size"],
        kind=first.get("kind") or _kind(first),
        num_parameters=first["num_parameters"],
        num_active_parameters=first["num_active_parameters"],
        accuracy=joined_share([_interval(entry["accuracy"]["all"]) for entry in entries]),
        throughput={axis: joined_rate([_interval(entry["throughput"][axis]) for entry in entries]) for axis in AXES},
        basis=first.get("basis", MEASURED),
        blind=fmean(blind) if blind else None,
        accuracy_by_seed={seed: _interval(entry["accuracy"]["all"]) for seed, entry in seeds.items()},
        minus_dense_by_seed={
            s: _interval(entry["minus_dense"]) for s, entry in seeds.items() if "minus_dense" in entry
        },
        num_samples=first["accuracy"]["all"].get("num_samples"),
        unparsed_rate=fmean(unparsed) if unparsed else None,
        compared_with=tuple(first.get("compared_with", ())),
        source=first.get("source", ""),
    )


def _kind(entry: Json) -> str:
    if str(entry["variant"]).startswith(SMOES):
        return "smoes"
    return "moe" if entry["num_active_parameters"] < entry["num_parameters"] else "dense"


def _interval(table: Json) -> Interval:
    return Interval(*(float(table[limit]) for limit in LIMITS))
