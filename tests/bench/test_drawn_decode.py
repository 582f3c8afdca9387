"""Decode from drawn contexts as the suite runs it: a record like any other, and prompts of one length alone."""

from pathlib import Path

import pytest

from bench.harness import record
from tests.bench.plugin.fresh_pytest import run_pytest

ROOT = Path(__file__).parents[2]
ASKED = ("--scale=tiny", "--device=cpu", "--batch-size=3", "--compare=off", "--scenario-budget=0.05")


@pytest.mark.long
def test_a_drawn_context_is_timed_after_its_check_and_has_the_floor_of_a_read_one(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    run_pytest(ROOT, "bench/drawn_decode.py", "bench/bench_decode.py", *ASKED, "--seq-len=128", f"--record={path}")
    found = {name.partition("[")[0]: one for name, one in record.load(path).scenarios.items()}
    assert set(found) == {"bench_drawn_decode", "bench_decode"}
    drawn, read = (one.arms["dense"] for one in found.values())
    assert (drawn.cost, drawn.hashes, drawn.path) == (read.cost, read.hashes, read.path)


@pytest.mark.long
def test_prompts_of_many_lengths_are_refused(tmp_path: Path) -> None:
    _, said = run_pytest(ROOT, "bench/drawn_decode.py", *ASKED, "--seq-len=natural", f"--record={tmp_path / 'r.json'}")
    assert "needs prompts of one length, got padding; give a number as --seq-len" in said
