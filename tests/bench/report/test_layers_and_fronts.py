"""Layers and fronts of the page against numbers computed by hand."""

import json
from pathlib import Path

import pytest

from bench.pages.pareto.documents import Origin, Tier, read_tiers
from bench.pages.pareto.points import AXES
from bench.report.fronts import fronts_of
from bench.report.layers import layers_of
from tests.bench.pages.sample_layers import DENSE, MOE, layers_scenario
from tests.bench.pages.sample_points import around, point
from tests.bench.sample_records import record_of, scenario

ROOT = Path(__file__).parents[3]


def test_a_layer_and_its_parts_are_those_of_the_pass_over_its_two_layers() -> None:
    moe, dense = layers_of(record_of(layers_scenario()), 5)
    assert moe.layer[0] == pytest.approx(MOE["/layers"] / 2)
    assert {part.part: part.seconds for part in moe.parts} == pytest.approx(
        {name: MOE[f"/{name}"] / 2 for name in ("attention", "norms", "router", "experts")}
    )
    assert {part.part for part in dense.parts} == {"attention", "norms", "ffn"}
    assert dense.layer[0] == pytest.approx(DENSE["/layers"] / 2)
    assert (moe.source, moe.phase, moe.batch, moe.length, moe.routing) == (5, "decode", 8, "640", "specialized:2")
    assert moe.scale == "7b, 2 of 16 layers"


def test_a_floor_is_the_share_of_a_part_s_time() -> None:
    """16 MB at 1 GB/s take 16 ms of the experts' 20 ms."""
    moe, _ = layers_of(record_of(layers_scenario()), 0)
    assert {part.part: part.floor for part in moe.parts}["experts"] == pytest.approx(0.8)


def test_a_record_without_layers_has_none() -> None:
    assert layers_of(record_of(scenario({"moe": 1.0, "dense": 1.0})), 0) == []


def front_of(*points: object) -> Tier:
    origin = Origin(machine="m", workload="w", paths=(), tasks=("charts",))
    return Tier(name="measured", origins=(origin,), points=points)  # type: ignore[arg-type]


def test_points_stand_where_the_front_puts_them_and_the_staircase_joins_the_best() -> None:
    fast, good = point("fast", around(0.5, 0.01), around(20.0, 1.0)), point("good", around(0.9, 0.01), around(5.0, 1.0))
    beaten = point("beaten", around(0.4, 0.01), around(2.0, 0.5), blind=0.25)
    (front,) = fronts_of("f.json", front_of(fast, good, beaten))
    standing = {one.name: (one.standing, one.rival) for one in front.points}
    assert standing == {
        "fast small": ("on the front", ""),
        "good small": ("on the front", ""),
        "beaten small": ("dominated", "good small"),
    }
    assert front.fronts == [[(5.0, 0.9), (20.0, 0.5)]]
    assert front.blind == 0.25


def test_a_model_says_of_how_many_seeds_it_is_and_how_many_never_began_to_look() -> None:
    one = point("one", around(0.5, 0.01), around(20.0, 1.0), transitions={0: None, 1: 900})
    alone = point("alone", around(0.9, 0.01), around(5.0, 1.0), accuracy_by_seed={0: around(0.9, 0.01)})
    (front,) = fronts_of("f.json", front_of(one, alone))
    assert {found.name: (found.seeds, found.unfinished) for found in front.points} == {
        "one small": (2, 1),
        "alone small": (1, 0),
    }


def test_the_documents_of_the_repository_are_shown_whole() -> None:
    for name in ("pareto-published.json", "twins-cpu.json", "twins-charts-cpu.json"):
        path = ROOT / "docs" / "records" / name
        ((tier, read),) = read_tiers([path]).items()
        fronts = fronts_of(name, read)
        assert sum(len(front.points) for front in fronts) == len(read.points)
        assert {front.tier for front in fronts} == {tier}
        rates = {point.throughput[AXES[0]].estimate for point in read.points}
        shown = {one.rate[0] for front in fronts for one in front.points}
        assert shown == {float(f"{rate:.8g}") for rate in rates}
        assert json.loads(path.read_text())["tier"] == tier
