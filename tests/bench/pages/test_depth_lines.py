"""Tests of lines through depths of one block: what they give of the whole, how far off, and when they count."""

import math

import pytest
from msgspec import structs

from bench.harness.record import ArmSeries, Launch, Scenario
from bench.pages.depth_lines import line_errors, straightened
from bench.pages.recycling import bias_rows, biases
from bench.pages.results.gains import Gain, gains_of
from bench.pages.results.page import results_page
from tests.bench.pages.sample_gains import PEAKS, arm, scenario
from tests.bench.sample_records import record_of

DISTURBED = (1.0, 1.3, 0.8, 1.0, 2.0, 1.0, 1.1)  # blocks: what disturbs one disturbs all of its arms
FULL = 16


def depths(
    *, built: int, full: int = FULL, scale: str = "7b", bend: float = 0.0, of_dense: float = 0.0, launches: int = 1
) -> Scenario:
    """Return arms of 1 + depth seconds and their twins of 2 + 4 depth, whose whole is off by `bend`, dense by more."""
    name = f"bench_depths[{scale}{'' if built == full else f'@{built}'}-mmmu-uniform-b1-s640-decode]"
    cuts = [depth for depth in (2, 4) if depth < built]
    params = {"scale": name.partition("[")[2].partition("-")[0], "workload": "mmmu", "routing": "uniform"}
    fields = {
        "params": {**params, "batch_size": 1, "seq_len": 640},
        "facts": {"depth": built, "full_depth_moe": full, "full_depth_dense": full, "distinct_experts": 8.0},
    }

    def series(what: str, depth: int, offset: float, slope: float) -> ArmSeries:
        seconds = (offset + slope * depth) * (1 + (depth == full) * (bend + (what == "dense") * of_dense))
        one = arm(what, 1.0, name, cost={"flops": 0.0, "bytes": 10.0 * depth, "parts": [[0.0, 10.0 * depth]]}, **fields)
        blocks = tuple(seconds * factor for factor in DISTURBED)
        return structs.replace(
            one, launches=tuple(Launch(id=f"l{i}", samples=blocks, voided=0) for i in range(launches))
        )

    arms = {"anchor": series("anchor", 1, 0.0, 1.0)}
    for what, offset, slope in (("moe", 1.0, 1.0), ("dense", 2.0, 4.0)):
        arms[what] = series(what, built, offset, slope)
        arms |= {f"{what}/at{depth}": series(f"{what}/at{depth}", depth, offset, slope) for depth in cuts}
    return Scenario(id=name, arms=arms)


def test_the_line_of_each_block_gives_the_whole_models_sample() -> None:
    found = straightened(depths(built=4))
    assert found
    assert found.id == "bench_decode[7b@4-mmmu-uniform-b1-s640]"
    assert set(found.arms) == {"moe", "dense", "anchor"}
    assert found.arms["moe"].launches[0].samples == pytest.approx([17.0 * factor for factor in DISTURBED])
    assert found.arms["dense"].launches[0].samples == pytest.approx([66.0 * factor for factor in DISTURBED])
    cost = found.arms["moe"].cost
    assert cost
    assert (cost["bytes"], cost["parts"]) == (160.0, [[0.0, 160.0]])


def test_what_was_built_whole_and_other_scenarios_are_left_as_they_are() -> None:
    assert straightened(depths(built=FULL)) is None
    assert straightened(scenario(1.0, 2.0)) is None


def test_beside_the_whole_model_the_line_through_two_and_four_tells_how_far_it_is_off() -> None:
    found = list(line_errors(depths(built=FULL, bend=0.1)))
    assert [(one.arm, one.depths) for one in found] == [("moe", (2, 4)), ("dense", (2, 4))]
    assert all(
        ratio == pytest.approx(-math.log(1.1)) for one in found for of_launch in one.launches for ratio in of_launch
    )
    assert list(line_errors(depths(built=4))) == []
    rows = bias_rows(biases(record_of(depths(built=FULL, bend=0.1))))
    assert [row[1:4] for row in rows] == [
        ("moe", "2, 4", "-9.1 % [-9.1, -9.1]"),
        ("dense", "2, 4", "-9.1 % [-9.1, -9.1]"),
    ]


def gain(*scenarios: Scenario) -> Gain:
    (one,) = gains_of([record_of(*scenarios, peaks=PEAKS)]).gains
    return one


def test_a_line_counts_once_its_error_is_measured_and_is_in_the_interval() -> None:
    one = gain(depths(built=4), depths(built=8, full=8, scale="proxy", bend=0.25))
    assert (one.scale, one.depths, one.scenario) == ("7b", (2, 4), "bench_decode[7b-mmmu-uniform-b1-s640]")
    assert one.speedup.estimate == pytest.approx(66 / 17)
    assert one.seconds == pytest.approx({"moe": 17.0, "rival": 66.0})
    assert one.check_error == pytest.approx(0.2)
    assert one.floor_share == pytest.approx({"moe": 16 / 17, "rival": 16 / 66})


def test_what_lines_miss_of_one_arm_alone_widens_the_interval_to_that_side() -> None:
    one = gain(depths(built=4), depths(built=8, full=8, scale="proxy", of_dense=0.25))
    assert one.speedup == pytest.approx((66 / 17, 66 / 17, 1.25 * 66 / 17))


def test_without_its_error_it_gives_no_answer() -> None:
    found = gains_of([record_of(depths(built=4), peaks=PEAKS)])
    assert found.gains == []
    assert [one.why for one in found.dropped] == [
        "a line through 2 and 4 layers of one block needs its error; measure bench/depths.py where all layers are built"
    ]


def test_what_was_measured_whole_counts_before_a_line() -> None:
    whole = scenario(1.0, 2.0, length=640)
    renamed = Scenario(id="bench_decode[7b-mmmu-uniform-b1-s640]", arms=whole.arms)
    checked = depths(built=8, full=8, scale="proxy")
    assert gain(renamed, depths(built=4), checked).depths == ()


def test_blocks_that_lie_on_no_line_tell_nothing() -> None:
    steep = depths(built=4)
    low = steep.arms["moe/at2"]
    arms = {**steep.arms, "moe/at2": structs.replace(low, launches=steep.arms["moe"].launches)}
    falling = structs.replace(steep.arms["moe"], launches=low.launches)
    found = gains_of([record_of(Scenario(id=steep.id, arms={**arms, "moe": falling}), peaks=PEAKS)])
    assert [one.why for one in found.dropped] == ["its depths lie on no line; measure again"]


def test_launches_of_lines_spread_as_launches_do() -> None:
    many = depths(built=4, launches=3)
    checked = depths(built=8, full=8, scale="proxy")
    assert gain(many, checked).num_launches == 3


def test_the_page_says_through_which_layers_with_which_error() -> None:
    records = {
        path: record_of(one, peaks=PEAKS)
        for path, one in (("a", depths(built=4)), ("b", depths(built=8, full=8, scale="proxy", bend=0.25)))
    }
    content = results_page(records, {})  # type: ignore[arg-type]
    assert content.facts["extrapolated"] == ["7b"]
    assert [row["scenario"] for row in content.tables["recycling"]] == [
        "bench_depths[proxy-mmmu-uniform-b1-s640-decode]"
    ] * 2


def test_one_disturbed_block_moves_no_median() -> None:
    one = depths(built=4)
    low = one.arms["moe/at2"]
    (launch,) = low.launches
    late = structs.replace(launch, samples=(*launch.samples[:-1], 100.0))  # 3 of 5 s: a line to below 0
    found = gain(
        Scenario(id=one.id, arms={**one.arms, "moe/at2": structs.replace(low, launches=(late,))}),
        depths(built=8, full=8, scale="proxy"),
    )
    assert found.seconds["moe"] == pytest.approx(17.0)
    assert found.speedup.estimate == pytest.approx(66 / 17)
