"""Tests of points and groups: every number by hand, from seconds and a floor of a millisecond."""

from pathlib import Path

import pytest

from bench.gate.stats import Interval
from bench.harness.environment import kind_key
from bench.harness.record import Record, Scenario
from bench.pages.performance.page import Group, groups, performance_page
from bench.pages.performance.points import Point, condition_of, read_points, voided
from tests.bench.pages.sample_backends import decode, experts, void
from tests.bench.sample_records import FINGERPRINT, record_of, scenario

THEIRS = {"transformers/eager": 0.005, "transformers/grouped_mm": 0.004}


def points(*scenarios: Scenario) -> list[Point]:
    return read_points({Path("experts-quiet-a.json"): record_of(*scenarios)})


def started(hour: int, *scenarios: Scenario, dtype: str = "float32") -> Record:
    kind = kind_key({**FINGERPRINT, "dtype": dtype})
    return record_of(*scenarios, kind=kind, launch={"started": f"2026-01-01T{hour:02}:00:00+00:00"})


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("docs/records/experts-quiet-wide-float32.json", "quiet"),
        ("decode-contended-bfloat16.json", "contended"),
        ("quiet/experts-h200.json", ""),
        ("experts-disquieting.json", ""),
    ],
)
def test_a_word_of_the_files_name_says_what_else_ran(name: str, condition: str) -> None:
    assert condition_of(Path(name)) == condition


def test_threads_device_and_dtype_are_those_of_the_record() -> None:
    kind = kind_key({**FINGERPRINT, "device_model": "Acme Zeta", "num_threads": 2, "dtype": "bfloat16"})
    (point,) = read_points({Path("experts-contended-a.json"): record_of(experts({"moe": 0.002}), kind=kind)})
    assert (point.condition, point.device, point.threads) == ("contended", "Acme Zeta", 2)
    assert (point.dtype, point.record) == ("bfloat16", "experts-contended-a.json")


def test_a_point_holds_every_time_its_floor_and_the_fastest_of_theirs() -> None:
    (point,) = points(experts({"moe": 0.002, **THEIRS}, tokens=8))
    assert (point.benchmark, point.size) == ("bench_experts", 8)
    assert point.seconds == {"moe": 0.002, **THEIRS}
    assert (point.floor_s, point.floor_percent) == (0.001, 50)
    assert (point.best, point.theirs_over_ours) == ("transformers/grouped_mm", Interval(2.0, 2.0, 2.0))


def test_a_floor_is_by_the_best_peaks_of_all_records_of_the_machine() -> None:
    (alone,) = points(experts({"moe": 0.002}))
    slow, other = record_of(experts({"moe": 0.002})), experts({"moe": 0.002}, tokens=2)
    fast = record_of(other, peaks={name: 2 * value for name, value in slow.peaks.items()})
    found = read_points({Path("experts-quiet-a.json"): slow, Path("experts-quiet-b.json"): fast})
    assert alone.floor_s == 0.001
    assert [one.floor_s for one in found if one.size == alone.size] == [0.0005]


def test_the_ratio_is_the_median_over_blocks_of_all_launches() -> None:
    """Blocks give 1, 2, 3 and 4, 5, 6: the median is 3.5, and six values have their range as interval."""
    launches = [{"moe": (0.001,) * 3, "liger": values} for values in ((0.001, 0.002, 0.003), (0.004, 0.005, 0.006))]
    (point,) = points(experts(*launches))
    assert point.theirs_over_ours == pytest.approx((3.5, 1.0, 6.0))
    assert point.blocks == 6


def test_dense_arms_are_not_theirs_and_nothing_is_guessed_without_peers_or_costs() -> None:
    (point,) = points(decode({"moe": 0.002, "dense": 0.003, "dense_active": 0.001}, cost=None))
    assert point.dense_over_ours == {"dense": (1.5, 1.5, 1.5), "dense_active": (0.5, 0.5, 0.5)}
    assert (point.best, point.theirs_over_ours, point.floor_s, point.floor_percent) == (None, None, None, None)


def test_the_first_measurement_counts_whatever_the_order_of_the_files() -> None:
    later, first = started(9, experts({"moe": 0.001})), started(8, experts({"moe": 0.002}))
    found = read_points({Path("experts-quiet-again.json"): later, Path("experts-quiet-b.json"): first})
    assert {point.record: point.again for point in found} == {
        "experts-quiet-b.json": False,
        "experts-quiet-again.json": True,
    }


def test_the_same_scenario_beside_other_work_or_in_another_dtype_is_another_one() -> None:
    same = experts({"moe": 0.001})
    records = {"experts-contended.json": started(7, same), "experts-quiet.json": started(8, same)}
    records["experts-quiet-half.json"] = started(9, same, dtype="bfloat16")
    found = read_points({Path(name): record for name, record in records.items()})
    assert [(point.condition, point.dtype) for point in found] == [
        ("quiet", "bfloat16"),
        ("quiet", "float32"),
        ("contended", "float32"),
    ]
    assert not any(point.again for point in found)


def test_a_scenario_whose_blocks_are_all_void_gives_no_point() -> None:
    other = void(scenario({"moe": 0.1}, name="bench_prefill[a]"))
    record = record_of(experts({"moe": 0.001}, tokens=2), void(experts({"moe": 0.001})), other)
    assert [point.size for point in read_points({Path("a.json"): record})] == [2]
    assert voided(record) == ["bench_experts[7b@2-moevlm-uniform-t1]"]


def test_records_of_neither_benchmark_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"bench_experts or bench_decode_peers, got none; run pytest bench/bench_exp"):
        points(scenario({"moe": 0.1}))


def test_groups_part_by_field_and_by_axis_and_their_mean_is_geometric() -> None:
    """The ratios of ours are 2 and 8; the third point, of another backend, was measured beside nobody."""
    found = points(
        experts({"moe": 0.001, "liger": 0.002}),
        experts({"moe": 0.001, "liger": 0.008}, tokens=64),
        experts({"moe": 0.001}, backend="eager"),
    )
    ours, eager = groups(found, "dtype", "backend")
    assert [point.size for point in ours.points] == [1, 64]
    assert ours.mean == pytest.approx(4.0)
    assert (eager.first.axis["backend"], eager.mean) == ("eager", None)


def test_dtypes_are_pooled_where_several_were_compared() -> None:
    compared, alone = experts({"moe": 0.001, "liger": 0.004}), experts({"moe": 0.001})
    slower = experts({"moe": 0.001, "liger": 0.001})

    def pooled(half: Scenario) -> list[Group]:
        held = {Path("a.json"): started(8, compared), Path("b.json"): started(9, half, dtype="bfloat16")}
        found: list[Group] = performance_page(held).facts["pooled"]
        return found

    assert [group.mean for group in pooled(slower)] == [pytest.approx(2.0)]
    assert pooled(alone) == []
