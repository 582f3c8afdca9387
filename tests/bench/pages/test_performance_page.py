"""Tests of the page on performance: what the template makes of each part and of its absence, and the committed page."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.harness.environment import kind_key
from bench.harness.record import Record, Scenario
from bench.pages.performance.page import performance_page
from bench.pages.write import write_page
from tests.bench.pages.sample_backends import decode, experts, void
from tests.bench.sample_records import FINGERPRINT, record_of

ROOT = Path(__file__).parents[3]
PEER = "transformers/eager"
Render = Callable[..., str]
UNSURE = {"moe": (0.002,) * 6, PEER: (0.001, 0.001, 0.002, 0.002, 0.003, 0.003)}


def of_kind(*scenarios: Scenario, **fields: object) -> Record:
    return record_of(*scenarios, kind=kind_key({**FINGERPRINT, **fields}))


@pytest.fixture
def rendered(tmp_path: Path) -> Render:
    def text(**records: Record) -> str:
        out = tmp_path / "page.md"
        known = {Path(f"{name.replace('_', '-')}.json"): record for name, record in records.items()}
        write_page(out, performance_page(known), "the command")
        return out.read_text()

    return text


def test_a_row_counts_points_that_are_no_faster_and_names_the_lowest_interval(rendered: Render) -> None:
    """Ratios 1 [0.5, 1.5], 0.25 and 4: the geometric mean is 1; floors of 50, 25 and 100 %."""
    said = rendered(
        experts_quiet=record_of(
            experts(UNSURE),
            experts({"moe": 0.004, PEER: 0.001}, tokens=8),
            experts({"moe": 0.001, PEER: 0.004}, tokens=2048),
        )
    )
    assert (
        "| experts, float32, uniform, moevlm | quiet, 1 thread "
        "| 3 | 1.00x | 0.25 to 4.00 | 0.25x | 1, 1 | 25 to 100 % |"
    ) in said
    assert "\n| 1 | 1.00 (50 %) |\n| 8 | 0.25 (25 %) |\n| 2,048 | 4.00 (100 %) |\n" in said
    assert "\nDecode: nothing of this is in the records.\n" in said
    assert "Over all dtypes" not in said


def test_a_row_of_points_without_peers_or_floors_claims_nothing(rendered: Render) -> None:
    said = rendered(experts=record_of(experts({"moe": 0.1}, cost=None)))
    assert "| experts, float32, uniform, moevlm | other work not told, 1 thread | 0 | none beside |  |  |  |  |" in said
    assert "\n| 1 |  |\n" in said


def test_scales_are_spanned_and_what_one_dtype_lacks_is_empty(rendered: Render) -> None:
    both = (experts({"moe": 0.001, PEER: 0.002}), experts({"moe": 0.001, PEER: 0.003}, scale="34b@2"))
    said = rendered(
        experts_quiet_a=of_kind(*both, dtype="bfloat16"),
        experts_quiet_b=of_kind(experts({"moe": 0.001, PEER: 0.001}, tokens=8)),
    )
    assert "\n| 1 | 2.00 to 3.00 (100 %) |  |\n| 8 |  | 1.00 (100 %) |\n" in said
    assert "Over all dtypes our experts are **1.82x** (quiet, 1 thread; 3 points) as fast" in said  # cube root of 6


def test_decode_alone_makes_a_page_and_a_table(rendered: Render, tmp_path: Path) -> None:
    said = rendered(
        decode_quiet=record_of(decode({"moe": 0.002, "dense": 0.003, PEER: 0.005}, batch=4)),
    )
    assert (
        "| decode, float32, uniform, proxy, mmmu at 256 tokens | quiet, 1 thread "
        "| 1 | 2.50x | 2.50 | 2.50x | 0, 0 | 50 % |"
    ) in said
    assert "\nExperts: nothing of this is in the records.\n" in said
    assert "[decode](tables/page-decode.csv)." in said
    (row,) = csv.DictReader((tmp_path / "tables" / "page-decode.csv").open())
    assert (row["axis_batch_size"], row["seconds_dense"], row["dense_over_ours_dense"]) == ("4", "0.003", "1.5")
    assert not (tmp_path / "tables" / "page-experts.csv").exists()


def test_several_devices_are_told_apart_and_a_gpu_is_one(rendered: Render) -> None:
    scenario = experts({"moe": 0.001, PEER: 0.002})
    here = rendered(experts=of_kind(scenario))
    assert here.startswith("# Performance: the expert backends on a CPU\n")
    assert "Nothing here has run on a GPU." in here
    both = rendered(experts_a=of_kind(scenario), experts_b=of_kind(scenario, device="cuda", device_model="Acme G"))
    assert both.startswith("# Performance: the expert backends on a CPU and a GPU\n")
    assert "Nothing here has run on a GPU." not in both
    assert "| Acme G, other work not told, 1 thread |" in both


def test_what_was_measured_again_or_not_at_all_is_told(rendered: Render) -> None:
    missing = {"scenario": "bench_experts[34b-t1]", "reason": "needs 64 GiB"}
    empty = void(experts({"moe": 0.001}, tokens=8))
    said = rendered(
        experts_quiet_a=record_of(experts({"moe": 0.001, PEER: 0.002}), empty, not_fitting=(missing,)),
        experts_quiet_b=record_of(experts({"moe": (0.001,) * 2, PEER: (0.003,) * 2})),
    )
    assert (
        "\nMeasured again, `bench_experts[7b@2-moevlm-uniform-t1]` in float32: 3.00x [3.00, 3.00], of 2 blocks; "
        in said
    )
    assert "\nNot measured:\n\n- bench_experts[34b-t1]: needs 64 GiB\n- bench_experts[7b@2-" in said
    assert "uniform-t8]: every block was void, for the device was throttled\n" in said
    assert "\n- 2 records: transformers" in said
    assert "Not measured" not in rendered(experts=record_of(experts({"moe": 0.001})))


def test_every_record_of_backends_in_docs_is_in_its_tables() -> None:
    folder = ROOT / "docs" / "records"
    held = {path.name for kind in ("experts", "decode") for path in folder.glob(f"{kind}-*-*.json")}
    tables = [ROOT / "docs" / "tables" / f"performance-{name}.csv" for name in ("experts", "decode")]
    assert {Path(row["record"]).name for table in tables for row in csv.DictReader(table.open())} == held


@pytest.mark.parametrize("name", ["tried", "twin", "operators", "ways"])
def test_tables_by_hand_are_whole(name: str) -> None:
    header, *rows = csv.reader((ROOT / "docs" / "tables" / f"performance-{name}.csv").open())
    assert rows
    assert all(len(row) == len(header) and all(row) for row in rows)
