"""Tests of predicted cells: floors over the shares of the nearest measured cell, and how far off these are."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from bench.gate.stats import Interval
from bench.harness.documents import CorruptRecord
from bench.harness.record import Scenario
from bench.pages.results.cells import holds_cells, read_cells
from bench.pages.results.grids import grids, is_steered
from bench.pages.results.predicted import check_errors, predictions, typical_and_worst
from tests.bench.pages.sample_cells import cell, cost, known, measured, write_cells
from tests.bench.pages.sample_gains import gains, scenario

FAR = [known((1, 1024, (2.0, 5.0)), (8, 1024, (1.25, 8.0)))]  # shares of the floor: 0.5 and 0.8; 0.8 and 0.5


def predict(*cells: object, found: object = None) -> list[object]:
    return predictions(found or FAR[0], {"float32": cells})


def test_a_cell_takes_its_own_floors_over_the_shares_of_the_nearest_measured_cell() -> None:
    one, other = predict(cell(2, 1024, moe_s=3.0, dense_s=8.0), cell(64, 2048, moe_s=4.0, dense_s=10.0))
    assert one.seconds == pytest.approx({"moe": 3.0 / 0.5, "rival": 8.0 / 0.8})
    assert (one.speedup, one.nearest, one.doublings) == (pytest.approx(10.0 / 6.0), "1 x 1024", 1.0)
    assert other.seconds == pytest.approx({"moe": 4.0 / 0.8, "rival": 10.0 / 0.5})
    assert (other.nearest, other.doublings, other.batch_size, other.length) == ("8 x 1024", 4.0, 64, "2048")


def test_what_is_measured_is_not_predicted_nor_are_other_scales_phases_dtypes_and_rivals() -> None:
    others = [{"scale": "34b"}, {"phase": "prefill"}, {"costs": {"moe": cell(1, 1).costs["moe"]}}]
    assert predict(cell(1, 1024), *(cell(2, 1024, **fields) for fields in others)) == []
    assert predictions(FAR[0], {"bfloat16": [cell(2, 1024)]}) == []


def test_slices_calibrate_nothing_and_one_cell_is_too_few() -> None:
    slices = [
        scenario(0.5 * depth, float(depth), depth=depth, batch=batch, cost=cost(0.1 * depth))
        for batch in (1, 8)
        for depth in (1, 2, 4)
    ]
    assert all(gain.floor_share for gain in gains(*slices))
    assert predict(cell(2, 640), found=gains(*slices)) == []
    assert predict(cell(2, 640), found=known((1, 1024, (2.0, 5.0)))) == []


def test_each_measured_cell_predicted_from_the_others_tells_how_far_off_predictions_are() -> None:
    cells = {"float32": [cell(1, 1024), cell(8, 1024), cell(512, 4096)]}
    assert check_errors(FAR[0], cells) == pytest.approx([6.4 / 2.5 - 1, 1 - 2.5 / 6.4])
    assert typical_and_worst([0.1, 0.3, 0.2]) == (0.2, 0.3)
    assert typical_and_worst([]) is None


def test_a_table_holds_what_is_measured_and_what_is_predicted() -> None:
    (grid,) = grids(FAR[0], predict(cell(2, 1024, dense_s=8.0), cell(1, 640)))
    assert (grid.scale, grid.phase, grid.batches, grid.machine) == ("7b", "decode", ["1", "2", "8"], "")
    assert grid.rows == {
        "640 tokens": ["*2.50x*", "", ""],
        "1024 tokens": ["2.50x", "*5.00x*", "6.40x"],
    }


def test_a_table_has_what_another_routing_makes_of_a_length_below_it_and_rows_of_scales_have_not() -> None:
    rows = [scenario(1.0, by, batch=batch, routing=routing) for batch, routing, by in
            ((1, "uniform", 6.0), (8, "uniform", 2.0), (8, "paper-smoes", 4.0), (1, "hard", 5.0))]  # fmt: skip
    found = gains(*rows)
    (grid,) = grids([*found, *gains(scenario(1.0, 9.0, routing="hard", scale="34b"))], predict(cell(2, 1024)))
    assert list(grid.rows) == ["1024 tokens", "1024, hard", "1024, paper-smoes"]
    assert [cell.split("x")[0] for cell in grid.rows["1024, paper-smoes"]] == ["", "", "4.00"]
    assert [gain.routing for gain in found if not is_steered(gain, found)] == ["uniform", "uniform"]
    assert not is_steered(found[-1], found[-1:])


def test_a_table_that_is_nearly_all_predicted_is_left_to_that_of_predicted_cells() -> None:
    many = [cell(batch, length) for batch in (2, 4, 16, 32) for length in (640, 1024, 2048, 4096, 8192)]
    assert grids(FAR[0], predict(*many[:18])) != []
    assert grids(FAR[0], predict(*many)) == []


def test_a_table_marks_what_is_measured_with_a_wide_interval() -> None:
    found = [replace(one, speedup=Interval(2.5, 2.3, 2.6)) for one in FAR[0]]
    (grid,) = grids(found, predict(cell(2, 1024, dense_s=8.0), cell(1, 640)))
    assert grid.rows["1024 tokens"] == ["~2.50x", "*5.00x*", "~2.50x"]


def test_of_recycled_layers_cells_are_predicted_as_of_whole_ones() -> None:
    found = gains(*(measured(batch, 1024, (2.0, 8.0), distinct=4) for batch in (1, 8)))
    assert [one.speedup for one in predict(cell(2, 1024), found=found)] == pytest.approx([4.0])


def test_documents_are_read_by_dtype(tmp_path: Path) -> None:
    paths = [write_cells(tmp_path / f"{dtype}.json", cell(1, 640), dtype=dtype) for dtype in ("float32", "bfloat16")]
    assert read_cells(paths).cells == {"float32": [cell(1, 640)], "bfloat16": [cell(1, 640)]}
    assert [holds_cells(json.loads(path.read_text())) for path in paths] == [True, True]
    assert not holds_cells({"schema_version": 1, "tier": "published"})


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"schema_version": 2}, "must be cells of schema 1, got cells of 2"),
        ({"cells": [{"scale": "7b"}]}, r"cells\[0\] must have phase"),
        ({"more": 1}, "must have known fields alone, got more"),
    ],
)
def test_a_document_that_breaks_a_rule_is_refused(tmp_path: Path, fields: dict[str, object], rule: str) -> None:
    with pytest.raises(CorruptRecord, match=rule):
        read_cells([write_cells(tmp_path / "cells.json", cell(1, 640), **fields)])


def test_a_cell_of_another_routing_is_another_cell_and_in_no_table_of_uniform_ones() -> None:
    (one,) = predict(cell(1, 1024, moe_s=0.5, routing="paper-smoes"))
    assert (one.routing, one.nearest, one.doublings) == ("paper-smoes", "1 x 1024", 0.0)
    assert one.seconds == pytest.approx({"moe": 0.5 / 0.5, "rival": 4.0 / 0.8})
    assert grids(FAR[0], [one]) == []


def test_shares_under_the_same_routing_count_before_those_of_uniform_routing_next_to_it() -> None:
    steered = measured(1, 2048, (4.0, 5.0))
    arms = {
        name: structs.replace(arm, params={**arm.params, "routing": "paper-smoes"})
        for name, arm in steered.arms.items()
    }
    found = [*FAR[0], *gains(Scenario(id=steered.id, arms=arms))]
    uniform, other = predict(cell(1, 1500), cell(1, 1500, routing="paper-smoes"), found=found)
    assert (uniform.nearest, other.nearest) == ("1 x 1024", "1 x 2048")
    both = predict(cell(1, 2048), cell(1, 2048, routing="paper-smoes"), found=found)
    assert [one.routing for one in both] == ["uniform"]  # the other was measured
    assert other.seconds["moe"] == pytest.approx(1.0 / 0.25)
