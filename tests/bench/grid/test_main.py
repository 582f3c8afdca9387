"""Tests of the document of cells: what a page reads is the work that the suite's own floors count."""

from pathlib import Path

import pytest
import torch

from bench.floors import costs_of
from bench.grid.__main__ import main
from bench.grid.work import BATCHES, LENGTHS
from bench.pages.results.cells import read_cells
from fixtures.models import build_twins


def test_every_cell_has_the_floors_that_scenarios_have(tmp_path: Path) -> None:
    path = tmp_path / "cells.json"
    main(["--scale=tiny", "--dtype=float32", "--out", str(path)])
    cells = read_cells([path]).cells["float32"]
    assert len(cells) == 2 * len(BATCHES) * len(LENGTHS)
    assert (max(BATCHES), min(BATCHES)) == (512, 1)
    twins = build_twins("tiny", device=torch.device("cpu"), dtype=torch.float32)
    for phase, num_tiles in (("decode", 0), ("prefill", 8)):
        (cell,) = [one for one in cells if (one.phase, one.batch_size, one.length) == (phase, 8, 1024)]
        assert set(cell.costs) == {"moe", "dense", "dense_active", "dense_reference"}
        expected = costs_of(twins, phase, batch_size=8, seq_len=1024, num_tiles=num_tiles)
        for arm, work in expected.items():
            assert cell.costs[arm]["parts"] == [pytest.approx(part) for part in work["parts"]]


def test_a_published_shape_has_the_arms_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "cells.json"
    main(["--scale=7b", "--arms=moe,dense", "--out", str(path)])
    assert {frozenset(cell.costs) for cell in read_cells([path]).cells["bfloat16"]} == {frozenset({"moe", "dense"})}
