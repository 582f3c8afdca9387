"""Facts of a tier: what its fronts leave to choose, and the rows of its CSV tables, against points made by hand."""

from pathlib import Path

from bench.pages.pareto.documents import Origin, Tier
from bench.pages.pareto.page import facts_of, rows
from bench.pages.pareto.points import Point
from tests.bench.pages.sample_points import around, point


def tier(*points: Point) -> Tier:
    tasks = tuple(dict.fromkeys(point.task for point in points))
    origin = Origin(machine="Acme", workload="batches", paths=(Path("a.json"),), tasks=tasks)
    return Tier(name=points[0].tier, origins=(origin,), points=points)


BEST = point("best", around(0.8, 0.05), around(10.0, 1.0), blind=0.2, num_samples=500)
NEAR = point("near", around(0.75, 0.02), around(30.0, 1.0))
WORSE = point("worse", around(0.5, 0.02), around(40.0, 1.0))
BEHIND = point("behind", around(0.6, 0.02), around(20.0, 1.0), kind="moe", size="", tier="measured")


def test_of_a_front_the_best_is_named_and_the_fastest_that_overlaps_with_it() -> None:
    (choice,) = facts_of(tier(BEST, NEAR, WORSE, BEHIND)).choices
    assert (choice.best.point, choice.fastest.point, choice.times) == (
        BEST,
        NEAR,
        3.0,
    )  # `worse` is faster still, and worse for certain


def test_a_twin_of_one_shape_is_no_faster_choice() -> None:
    shape = {"num_parameters": 2e6, "num_active_parameters": 1e6}
    slow, quick = (point(name, around(0.8 - rate / 1e4, 0.1), around(rate, 1.0), **shape)
                   for name, rate in (("slow", 90.0), ("quick", 100.0)))  # fmt: skip
    (choice,) = facts_of(tier(slow, quick)).choices
    assert choice.fastest is choice.best


def test_models_come_task_by_task_the_fastest_first_with_who_is_ahead() -> None:
    other = point("other", around(0.5, 0.1), around(99.0, 1.0), task="documents")
    found = rows([facts_of(tier(BEST, other, NEAR, WORSE, BEHIND))])["models"]
    assert [row["name"] for row in found] == ["worse small", "near small", "behind", "best small", "other small"]
    behind, best = found[2], found[3]
    assert (behind["standing"], behind["behind"]) == ("dominated", "near small")
    assert (best["standing"], best["behind"], best["as_fast_and_overlapping"]) == ("on the front", "", "near small")
    assert (best["ranked_at_req_per_s"], best["accuracy"], best["blind"]) == (10.0, BEST.accuracy, 0.2)
    assert best["seed"] == {0: 0.8, 1: 0.8}


def test_pairs_of_two_models_stand_together() -> None:
    moe = {"series": "Molmo", "size": "E", "kind": "moe", "compared_with": ("D",), "tier": "published"}
    dense = {"series": "Molmo", "size": "D", "tier": "published"}
    points = [
        point("", around(accuracy, 0.01), around(rate, 1.0), task=task, **fields)
        for task in ("charts", "documents")
        for accuracy, rate, fields in ((0.6, 20.0, moe), (0.5, 10.0, dense))
    ]
    facts = facts_of(tier(*points))
    assert [[pair.point.task for pair in found] for found in facts.matches] == [["charts", "documents"]]
    first, _ = rows([facts])["pairs"]
    assert (first["name"], first["against"], first["outcome"], first["num_seeds"]) == ("Molmo E", "Molmo D", "wins", "")
    assert round(first["difference"].estimate, 9) == 0.1
    assert round(first["times_req_per_s"].estimate, 9) == 2.0
