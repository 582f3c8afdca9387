"""Tests of layers in records: every figure of a table by hand, from samples of two layers."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.harness.record import Record
from bench.pages.layers.tables import (
    APART_HEADERS,
    ARM_HEADERS,
    CROSSING_HEADERS,
    FLOOR_HEADERS,
    PART_HEADERS,
    apart_rows,
    arm_rows,
    crossing_rows,
    floor_rows,
    part_rows,
    that_do_not_add_up,
)
from bench.pages.layers.times import read_layers
from bench.pages.plots.layers import LAYER_FIGURES, draw_layers
from tests.bench.pages.sample_layers import FACTS, layers_scenario
from tests.bench.sample_records import record_of


@pytest.fixture
def record() -> Record:
    return record_of(layers_scenario())


def test_a_row_splits_one_layer_and_shows_what_is_missing(record: Record) -> None:
    (row,) = part_rows(read_layers([record]))
    found = dict(zip(PART_HEADERS, row, strict=True))
    assert (found["scale"], found["phase"], found["batch"]) == ("7b, 2 of 16 layers", "decode", "8")
    assert (found["MSI"], found["experts hit (expected)"], found["load, max/mean"]) == ("0.50", "40.0 (50.0)", "1.50")
    assert found["layer [95 %]"].startswith("20.0 ms")
    assert (found["attention"], found["norms"], found["router"]) == ("4.00 ms", "1.00 ms", "2.00 ms")
    assert found["parts / layer [95 %]"] == "0.85 [0.85, 0.85]"  # (8 + 2 + 4 + 20) / 40
    assert found["layers + ends / pass [95 %]"] == "1.00 [1.00, 1.00]"


def test_the_prediction_reads_the_expected_experts_at_the_copy_peak(record: Record) -> None:
    """16 MB for 40 experts in two layers: 8 MB a layer, 10 MB for 50, at 1 GB/s 10 ms; 2 Mflop take 2 ms."""
    (layer, _) = read_layers([record])
    assert layer.read_bytes == 8e6
    assert layer.predicted_s == pytest.approx(0.010)


def test_without_a_closed_form_nothing_is_predicted() -> None:
    facts = {name: value for name, value in FACTS.items() if not name.startswith("expected")}
    (row,) = part_rows(read_layers([record_of(layers_scenario(facts=facts, dense=False))]))
    found = dict(zip(PART_HEADERS, row, strict=True))
    assert (found["experts hit (expected)"], found["predicted"]) == ("40.0", "")


def test_arms_are_compared_layer_by_layer(record: Record) -> None:
    moe, dense = (dict(zip(ARM_HEADERS, row, strict=True)) for row in arm_rows(read_layers([record])))
    assert (moe["arm"], moe["arm / MoE [95 %]"], moe["feed-forward"]) == ("moe", "", "10.0 ms")
    assert (dense["arm"], dense["feed-forward"]) == ("dense", "35.0 ms")
    assert dense["arm / MoE [95 %]"] == "2.00x [2.00, 2.00]"
    assert dense["parts / layer [95 %]"] == "1.00 [1.00, 1.00]"
    assert arm_rows(read_layers([record_of(layers_scenario(dense=False))])) == []


def test_experts_apart_are_held_against_the_fused_ones(record: Record) -> None:
    (row,) = apart_rows(read_layers([record]))
    found = dict(zip(APART_HEADERS, row, strict=True))
    assert [found[part] for part in ("experts", "dispatch", "gemms", "combine")] == [
        *("10.0 ms", "2.00 ms", "11.0 ms", "2.00 ms")
    ]
    assert found["apart / experts [95 %]"] == "1.50 [1.50, 1.50]"


def test_crossing_is_shown_once_a_routing_of_the_largest_prompt() -> None:
    small = layers_scenario(batch_size=1, facts={**FACTS, "crossing_bins": 0.7})
    (row,) = crossing_rows(read_layers([record_of(small), record_of(layers_scenario())]))
    assert dict(zip(CROSSING_HEADERS[:3], row, strict=False)) == {
        "scale": "7b", "routing": "specialized:2", "tokens": "5,120",
    }  # fmt: skip
    assert row[3:] == ("0.50", "90.0 %", "30.0 %", "80.0 %", "10.0 %", "")  # nothing uniform to hold it against


def test_what_bins_send_is_held_against_uniform_routing_in_order() -> None:
    usual = layers_scenario(routing="uniform", facts={**FACTS, "msi": 0.0, "crossing_in_order": 0.8})
    rows = crossing_rows(read_layers([record_of(usual, layers_scenario())]))
    assert [(row[1], row[-1]) for row in rows] == [("uniform", "-62.5 %"), ("specialized:2", "-62.5 %")]


def test_a_parts_floor_is_a_share_of_its_time_and_what_is_not_counted_has_none() -> None:
    """16 MB at 1 GB/s are 16 ms, 4 Mflop at 1 Gflop/s 4 ms: in two parts 20 ms, if reading rules one, computing one."""
    parts = {"flops": 4e6, "bytes": 16e6, "parts": [[4e6, 0.0], [0.0, 16e6]]}
    (row,) = floor_rows(read_layers([record_of(layers_scenario(cost=parts, dense=False))]))
    found = dict(zip(FLOOR_HEADERS, row, strict=True))
    assert (found["layers"], found["experts"]) == ("50 %", "100 %")  # of 40 and of 20 ms


def test_passes_that_do_not_add_up_are_named(record: Record) -> None:
    (said,) = that_do_not_add_up(read_layers([record]))
    assert said.startswith("bench_layers[7b@2-mmmu-specialized2-b8-s640-decode] moe: parts / layer")
    assert "0.85 [0.85, 0.85]" in said


def test_cells_come_by_batch_and_then_by_specialization() -> None:
    found = read_layers(
        [
            record_of(layers_scenario(routing="specialized:4", facts={**FACTS, "msi": 0.9}, dense=False)),
            record_of(layers_scenario(routing="uniform", facts={**FACTS, "msi": 0.1}, dense=False)),
            record_of(layers_scenario(batch_size=1, dense=False)),
        ]
    )
    assert [(layer.batch_size, layer.facts["msi"]) for layer in found] == [(1, 0.5), (8, 0.1), (8, 0.9)]


def test_records_of_other_benchmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="must hold scenarios of bench_layers, got none"):
        read_layers([record_of()])


def test_every_figure_is_drawn_and_arms_beside_each_other_are_of_one_scenario(record: Record, tmp_path: Path) -> None:
    longer = record_of(layers_scenario(seq_len=1024, dense=False))
    drawn = draw_layers(read_layers([record, longer]), tmp_path / "new")
    assert [path.stem for path in drawn] == list(LAYER_FIGURES)
    assert "batch 8" in drawn[0].read_text()
    assert all(f"{arm}, batch 8" in drawn[1].read_text() for arm in ("moe", "dense"))


def test_the_same_scenario_in_two_records_is_refused(record: Record) -> None:
    with pytest.raises(ValueError, match=r"must be in one record alone, got bench_layers\[.*\] dense in several"):
        read_layers([record, record_of(layers_scenario(slowdown=3.0))])


def test_records_of_two_kinds_of_machine_are_refused(record: Record) -> None:
    other = record_of(layers_scenario(seq_len=1024), kind={**record.kind, "device_model": "Acme X1"})
    with pytest.raises(ValueError, match=r"must be of one kind of machine, got .*Acme X1"):
        read_layers([record, other])


def test_blocks_of_all_launches_count() -> None:
    """Launches of 20, 40 and 60 ms a layer: the median is the second's."""
    layer = read_layers([record_of(layers_scenario(num_launches=3))])[0]
    assert len(layer.samples["layers"]) == 3
    assert layer.seconds("layers").estimate == pytest.approx(0.040)


def test_a_record_without_cost_or_peaks_is_refused_with_the_remedy(record: Record) -> None:
    remedy = r"measure it again with pytest bench/bench_layers\.py"
    with pytest.raises(ValueError, match="moe must have the cost flops, bytes, got none for flops, bytes; " + remedy):
        read_layers([record_of(layers_scenario(cost={}))])
    with pytest.raises(ValueError, match="must have the peaks .* got none for copy_byte_per_s; " + remedy):
        read_layers([replace(record, peaks={"matmul_flop_per_s": 1e9})])
