"""Tests of backends in records: every cell of a table by hand, from seconds and a floor of a millisecond."""

from pathlib import Path

import pytest

from bench.harness.environment import kind_key
from bench.harness.record import Launch, Record, Scenario
from bench.pages.performance.cells import Cell, condition_of, once, read_cells, voided
from bench.pages.performance.tables import FLOOR_HEADERS, decode_table, experts_table, floor_rows, place, setting
from tests.bench.pages.sample_backends import decode, experts
from tests.bench.sample_records import FINGERPRINT, record_of, scenario

THEIRS = {"transformers/eager": 0.005, "transformers/grouped_mm": 0.004}


def cells(*scenarios: Scenario) -> list[Cell]:
    return read_cells({Path("experts-quiet-a.json"): record_of(*scenarios)})


def started(hour: int, *scenarios: Scenario) -> Record:
    return record_of(*scenarios, launch={"started": f"2026-01-01T{hour:02}:00:00+00:00"})


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
    (cell,) = read_cells({Path("experts-contended-a.json"): record_of(experts({"moe": 0.002}), kind=kind)})
    assert (cell.condition, cell.machine, cell.dtype) == ("contended", "Acme Zeta, 2 threads", "bfloat16")


def test_a_point_shows_our_time_its_floor_and_the_fastest_of_theirs() -> None:
    headers, (row,) = experts_table(cells(experts({"moe": 0.002, **THEIRS})))
    assert headers == ("tokens", "7b@2 (floor)", "best of theirs", "theirs / ours")
    assert row == ("1", "2.00 ms (50 %)", "4.00 ms grouped_mm", "2.00 [2.00, 2.00]")


def test_the_ratio_is_the_median_over_blocks_of_all_launches() -> None:
    """Blocks give 1, 2, 3 and 4, 5, 6: the median is 3.5, and six values have their range as interval."""
    launches = [{"moe": (0.001,) * 3, "liger": values} for values in ((0.001, 0.002, 0.003), (0.004, 0.005, 0.006))]
    _, (row,) = experts_table(cells(experts(*launches)))
    assert row[1:] == ("1.00 ms (100 %)", "3.50 ms liger", "3.50 [1.00, 6.00]")


def test_dense_arms_are_not_theirs_and_nothing_is_guessed_without_peers_or_costs() -> None:
    _, (row,) = experts_table(cells(experts({"moe": 0.002, "dense": 0.001}, cost=None)))
    assert row == ("1", "2.00 ms", "", "")


def test_what_one_scale_lacks_is_left_empty() -> None:
    found = cells(
        experts({"moe": 0.002, **THEIRS}, tokens=1024),
        experts({"moe": 0.002, **THEIRS}, tokens=8),
        experts({"moe": 0.001}, scale="34b@2", tokens=8),
    )
    headers, rows = experts_table(found)
    assert headers[1::3] == ("7b@2 (floor)", "34b@2 (floor)")
    assert [row[0] for row in rows] == ["8", "1,024"]
    assert rows[0][4:] == ("1.00 ms (100 %)", "", "")
    assert rows[1][4:] == ("", "", "")


def test_the_floor_is_reached_as_far_as_each_point_reaches_it() -> None:
    """Shares of 100, 91, 50, 95 and 25 %: the fourth comes after a point that misses it."""
    shares = {1: 1.0, 2: 1 / 1.1, 4: 0.5, 8: 0.95, 1024: 0.25}
    ratios = {1: 1.5, 2: 2.5, 4: 9.0, 8: 9.0, 1024: 1.25}
    found = cells(
        *(
            experts({"moe": 0.001 / share, "liger": ratios[tokens] * 0.001 / share}, tokens=tokens)
            for tokens, share in shares.items()
        )
    )
    (row,) = floor_rows(found)
    assert len(row) == len(FLOOR_HEADERS)
    assert row == ("float32, uniform routing, moevlm", "7b@2", "2", "1.50 to 2.50", "50 to 95 %", "25 %", "1.25")


def test_without_a_floor_or_at_none_the_table_says_so() -> None:
    slow, unknown = (
        floor_rows(cells(experts({"moe": 0.1}, cost=cost)))[0] for cost in ({"flops": 1, "bytes": 1}, None)
    )
    assert slow[2:] == ("none", "", "0 %", "", "")
    assert unknown[2:] == ("", "", "", "", "")


def test_backends_and_dtypes_have_tables_of_their_own() -> None:
    ours, other = cells(experts({"moe": 0.1}), experts({"moe": 0.1}, backend="eager"))
    assert setting(ours) == ("float32", "uniform routing", "moevlm")
    assert setting(other) == ("float32", "uniform routing", "eager")


def test_a_row_of_decode_holds_every_arm_and_what_is_missing_is_empty() -> None:
    first = {"moe": 0.002, "dense": 0.003, "transformers/eager-dynamic": 0.005, "transformers/eager-static": 0.004}
    found = cells(decode({"moe": 0.004, "dense_active": 0.002}, batch=4, cost=None), decode(first))
    assert set(map(place, found)) == {("proxy", "mmmu", "prompts of 256 tokens", "uniform routing", "32 tokens a run")}
    headers, (one, four) = decode_table(found)
    assert dict(zip(headers, one, strict=True)) == {
        "dtype, batch": "float32, 1",
        "ours": "2.00 ms",
        "floor": "1.00 ms",
        "eager-dynamic": "5.00 ms",
        "eager-static": "4.00 ms",
        "best of theirs / ours": "2.00 [2.00, 2.00]",
        "dense": "3.00 ms",
        "dense / ours": "1.50 [1.50, 1.50]",
        "dense_active": "",
        "dense_active / ours": "",
    }
    assert [four[0], *filter(None, four[1:])] == ["float32, 4", "4.00 ms", "2.00 ms", "0.50 [0.50, 0.50]"]


def test_the_first_measurement_counts_whatever_the_order_of_the_files() -> None:
    later, first = started(9, experts({"moe": 0.001})), started(8, experts({"moe": 0.002}))
    found = read_cells({Path("experts-quiet-again.json"): later, Path("experts-quiet-b.json"): first})
    assert [cell.seconds("moe") for cell in found] == [0.002, 0.001]
    assert [cell.source.name for cell in once(found)] == ["experts-quiet-b.json"]


def test_the_same_scenario_beside_other_work_is_another_one() -> None:
    same = experts({"moe": 0.001})
    found = read_cells({Path("experts-quiet.json"): started(8, same), Path("experts-contended.json"): started(9, same)})
    assert len(once(found)) == 2


def test_a_scenario_whose_blocks_are_all_void_gives_no_cell() -> None:
    launch = Launch(id="l", samples=(), voided=3)
    kept = experts({"moe": 0.001}, tokens=2)
    empty = experts({"moe": 0.001})
    arms = {name: type(arm)(**{**vars(arm), "launches": (launch,)}) for name, arm in empty.arms.items()}
    record = record_of(kept, Scenario(id=empty.id, arms=arms))
    assert [cell.size for cell in read_cells({Path("a.json"): record})] == [2]
    assert voided(record) == ["bench_experts[7b@2-moevlm-uniform-t1]"]


def test_records_of_neither_benchmark_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"bench_experts or bench_decode_peers, got none; run pytest bench/bench_exp"):
        cells(scenario({"moe": 0.1}))
