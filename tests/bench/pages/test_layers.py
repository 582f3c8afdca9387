"""Tests of layers in records: every number of a row by hand, from samples of two layers."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.gate.stats import Interval
from bench.harness.record import Record
from bench.pages.layers.figures import layer_figures
from bench.pages.layers.rows import PassRow, pass_rows
from bench.pages.layers.times import read_layers
from tests.bench.pages.sample_layers import FACTS, layers_scenario
from tests.bench.sample_records import record_of


@pytest.fixture
def record() -> Record:
    return record_of(layers_scenario())


def rows_of(*records: Record) -> list[PassRow]:
    return pass_rows(read_layers(records))


def exactly(value: float) -> Interval:
    return Interval(*(pytest.approx(value) for _ in range(3)))


def test_a_row_splits_one_layer(record: Record) -> None:
    moe, _ = rows_of(record)
    assert (moe.params["scale"], moe.params["phase"], moe.arm) == ("7b, 2 of 16 layers", "decode", "moe")
    assert (moe.seconds["layers"], moe.seconds["experts"]) == (exactly(0.020), exactly(0.010))
    parts = ("attention", "norms", "router")
    assert [moe.seconds[part] for part in parts] == pytest.approx([0.004, 0.001, 0.002])
    assert moe.share == pytest.approx({"attention": 0.2, "norms": 0.05, "router": 0.1, "experts": 0.5})
    assert moe.over["parts_over_layer"] == exactly(0.85)  # (8 + 2 + 4 + 20) / 40
    assert moe.over["layers_and_ends_over_pass"] == exactly(1.0)
    assert moe.over["apart_over_experts"] == exactly(1.5)  # (4 + 22 + 4) / 20


def test_a_row_says_what_routing_did_and_what_that_predicts(record: Record) -> None:
    """16 MB for 40 experts in two layers: 8 MB a layer, 10 MB for 50, at 1 GB/s 10 ms; 2 Mflop take 2 ms."""
    routed = rows_of(record)[0].routed
    assert (routed["msi"], routed["distinct_experts"], routed["load_max_over_mean"]) == (0.5, 40.0, 1.5)
    assert (routed["crossing_bins"], routed["vision_crossing_in_order"]) == (0.3, 0.8)
    assert routed["read_bytes"] == 8e6
    assert routed["predicted_s"] == pytest.approx(0.010)
    assert routed["experts_over_predicted"] == pytest.approx(1.0)


def test_without_a_closed_form_or_counted_work_nothing_is_predicted(record: Record) -> None:
    facts = {name: value for name, value in FACTS.items() if not name.startswith("expected")}
    unknown = [
        record_of(layers_scenario(facts=facts)),
        record_of(layers_scenario(cost={})),
        replace(record, peaks={"matmul_flop_per_s": 1e9}),
    ]
    assert not any(row.routed.keys() & {"predicted_s", "experts_over_predicted"} for row, _ in map(rows_of, unknown))
    assert [row.floor_share == {} for row, _ in map(rows_of, unknown)] == [False, True, True]


def test_a_dense_row_is_held_against_the_moe_of_its_scenario(record: Record) -> None:
    slower = record_of(layers_scenario(seq_len=1024, slowdown=3.0))
    dense = [row for row in rows_of(record, slower) if row.arm == "dense"]
    assert [row.over["layer_over_moe"] for row in dense] == [exactly(2.0)] * 2
    assert dense[0].seconds["ffn"] == exactly(0.035)
    assert dense[0].over["parts_over_layer"] == exactly(1.0)
    assert (dense[0].routed, dense[0].floor_share, "apart_over_experts" in dense[0].over) == ({}, {}, False)


def test_a_steered_row_is_held_against_uniform_routing_in_its_own_blocks() -> None:
    (row,) = rows_of(record_of(layers_scenario(dense=False, uniform={"layers": 0.080, "experts": 0.025})))
    assert (row.over["layer_over_uniform"], row.over["experts_over_uniform"]) == (exactly(0.5), exactly(0.8))
    (alone,) = rows_of(record_of(layers_scenario(dense=False)))
    assert not alone.over.keys() & {"layer_over_uniform", "experts_over_uniform"}


def test_a_parts_floor_is_a_share_of_its_time_and_what_is_not_counted_has_none() -> None:
    """16 MB at 1 GB/s are 16 ms, 4 Mflop at 1 Gflop/s 4 ms: in two parts 20 ms, if reading rules one, computing one."""
    parts = {"flops": 4e6, "bytes": 16e6, "parts": [[4e6, 0.0], [0.0, 16e6]]}
    (row,) = rows_of(record_of(layers_scenario(cost=parts, dense=False)))
    assert (row.floor_share["layers"], row.floor_share["experts"]) == pytest.approx((0.5, 1.0))  # of 40 and of 20 ms
    assert "norms" not in row.floor_share


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
    with pytest.raises(ValueError, match="must hold scenarios of bench_layers, got none; measure some"):
        read_layers([record_of()])


def test_every_figure_is_drawn_and_parts_of_scenarios_with_dense_arms(record: Record, tmp_path: Path) -> None:
    other = record_of(layers_scenario(batch_size=4, dense=False))
    drawn = {}
    for name, drawing in layer_figures(read_layers([record, other])).items():
        drawing.save(tmp_path / "new" / f"{name}.svg")
        drawn[name] = (tmp_path / "new" / f"{name}.svg").read_text()
    assert all(f">batch {batch_size}<" in drawn["msi"] for batch_size in (4, 8))
    assert re.findall(r">(\w+, batch \d)<", drawn["parts"]) == ["moe, batch 8", "dense, batch 8"]


def test_without_layers_nothing_is_drawn() -> None:
    assert layer_figures([]) == {}


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
