"""Entries of documents -> points: what was trained with several seeds, or run several times, is one point."""

from collections.abc import Iterable, Mapping, Sequence
from reprlib import repr as shortened
from statistics import fmean
from typing import Any

from bench.contrasts import graded_of
from bench.gate.intervals import joined_rate, joined_share
from bench.gate.stats import Interval
from bench.pages.pareto.points import AXES, LIMITS, SUPPLIED, TRAINED, Point
from bench.pages.pareto.questions import mean_scores, require_same_questions
from bench.pages.twins.documents import COEF, require_same_training, variant_names

SMOES = "smoes"  # how the names of SMoES' variants begin
PLAIN = "plain"  # the variant without specialization; whatever else is an MoE takes something of SMoES away
OWN_NAME = "give each model a name of its own (bench.front.supplied: --name)"
REMEDIES = {  # what entries of one model have in common -> what to do where they do not
    **dict.fromkeys(("num_parameters", "num_active_parameters", "weights"), OWN_NAME),
    "num_samples": "ask each run the same questions (--limit, --pictures)",
}
ALIKE = ("task", "size", "num_parameters", "num_active_parameters", "basis", "compared_with", "source", "split")

Json = Mapping[str, Any]


def join_entries(tier: str, entries: Sequence[Json]) -> tuple[Point, ...]:
    """Make a point of all entries of one model on one task.

    Args:
        tier: Of all of them.
        entries: Checked ones, of any tasks and models.

    Raises:
        ValueError: A run or a seed of a model is there twice, entries of one name are of different models, questions or
            training, or supplied ones of one task answered different questions.
    """
    require_same_training(entries)
    if tier == SUPPLIED:
        require_same_questions(entries)
    groups: dict[tuple[str, str, str], list[Json]] = {}
    for entry, series in zip(entries, variant_names(entries), strict=True):
        groups.setdefault((entry["task"], series, entry["size"]), []).append(entry)
    for name, of_one in groups.items():
        _require_runs_of_one_model(" ".join(name).strip(), of_one)
    return tuple(_point(tier, series, of_one) for (_, series, _), of_one in groups.items())


def _require_runs_of_one_model(name: str, entries: Sequence[Json]) -> None:
    for field, remedy in REMEDIES.items():
        found = list(dict.fromkeys(entry.get(field, entry["accuracy"]["all"].get(field)) for entry in entries))
        if len(found) > 1:
            raise ValueError(f"entries of {name} must have one {field}, got {', '.join(map(str, found))}; {remedy}")
    runs = [entry.get("seed", entry) for entry in entries]
    twice = [run for index, run in enumerate(runs) if run in runs[:index]]
    if twice:
        raise ValueError(
            f"each seed or run of {name} must be there once, got {shortened(twice[0])} twice; give each document once"
        )


def _point(tier: str, series: str, entries: Sequence[Json]) -> Point:
    first = entries[0]
    seeds = {entry.get("seed", index): entry for index, entry in enumerate(entries)}
    accuracy = {seed: _interval(entry["accuracy"]["all"]) for seed, entry in seeds.items()}
    return Point(
        tier=tier,
        series=series,
        kind=first.get("kind") or _kind(tier, first),
        accuracy=joined_share(list(accuracy.values())),
        throughput={axis: joined_rate([_interval(entry["throughput"][axis]) for entry in entries]) for axis in AXES},
        blind=_mean(entry["blind"]["all"]["estimate"] for entry in entries if "blind" in entry),
        accuracy_by_seed=accuracy,
        minus_dense_by_seed={s: _interval(e["minus_dense"]) for s, e in seeds.items() if "minus_dense" in e},
        num_samples=first["accuracy"]["all"].get("num_samples"),
        graded=graded_of(entries),
        transitions=_transitions(seeds),
        unparsed_rate=_mean(entry["unparsed_rate"] for entry in entries if "unparsed_rate" in entry),
        scores=mean_scores(entries) if tier == SUPPLIED else (),
        **{name: first[name] for name in ALIKE if name in first},
    )


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return fmean(found) if found else None


def _transitions(seeds: Mapping[int, Json]) -> dict[int, int | None]:
    """Return the step at which each seed began to look; nothing where one does not tell, as in older documents."""
    told = {seed: entry["transition"] for seed, entry in seeds.items() if "transition" in entry}
    return told if len(told) == len(seeds) else {}


def _kind(tier: str, entry: Json) -> str:
    if str(entry["variant"]).startswith(SMOES):
        return "ablation" if entry.get(COEF) == 0 else "smoes"  # without its loss it is SMoES no more
    if entry["num_active_parameters"] >= entry["num_parameters"]:
        return "dense"
    return "moe" if tier != TRAINED or entry["variant"] == PLAIN else "ablation"


def _interval(table: Json) -> Interval:
    return Interval(*(float(table[limit]) for limit in LIMITS))
