"""Depths as arms of one block in runs of the suite: what the record says of the line through them."""

from pathlib import Path

import pytest

from bench.harness import record
from tests.bench.plugin.fresh_pytest import run_module, run_pytest

ROOT = Path(__file__).parents[2]
SMALL = ("--device=cpu", "--batch-size=1", "--seq-len=128", "--compare=off", "--scenario-budget=0.05")


@pytest.mark.long
def test_depths_are_compared_in_one_block_and_the_error_of_their_line_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    run_pytest(ROOT, "bench/depths.py", *SMALL, "--scale=proxy", f"--record={path}")
    known = record.load(path)
    assert len(known.scenarios) == 2
    cut = {"moe/at2", "moe/at4", "dense/at2", "dense/at4"}
    for scenario in known.scenarios.values():
        assert set(scenario.arms) == {"moe", "dense", "anchor", *cut}
    said = run_module(ROOT, "bench", "report", str(path)).said
    assert said.count("| 2, 4                |") == 4


@pytest.mark.long
def test_fewer_layers_than_carry_the_line_are_refused() -> None:
    code, said = run_pytest(ROOT, "bench/depths.py", *SMALL, "--scale=tiny")
    assert code == 1
    assert "a line needs 4 layers, 2 are built; give more as --depth" in said
