"""Recycled layers in runs of the suite: what a record says of them, what cannot be asked of them, and their bias."""

from pathlib import Path

import pytest

from bench.harness import record
from bench.harness.recycled import DISTINCT_LAYERS, OVER_CACHE
from tests.bench.plugin.fresh_pytest import run_module, run_pytest

ROOT = Path(__file__).parents[2]
SMALL = ("--device=cpu", "--batch-size=1", "--seq-len=128", "--compare=off", "--scenario-budget=0.05")


def test_a_record_says_how_many_layers_were_distinct_and_memory_is_not_counted_of_them(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    files = ("bench/bench_decode.py", "bench/bench_memory.py")
    run_pytest(ROOT, *files, *SMALL, "--scale=tiny", "--distinct-layers=1", f"--record={path}")
    known = record.load(path)
    (name,) = known.scenarios
    assert name == "bench_decode[tiny@of1-mmmu-uniform-b1-s128]"
    moe = known.scenarios[name].arms["moe"]
    assert (moe.params["scale"], moe.facts[DISTINCT_LAYERS], moe.facts["depth"]) == ("tiny@of1", 1, 2)
    assert moe.facts.get(OVER_CACHE, 0) < 1
    reasons = known.why_not_fitting()
    assert [scenario.partition("[")[0] for scenario in reasons] == ["bench_memory", "bench_kept_memory"]
    assert all("take less memory than the model that they stand for" in why for why in reasons.values())


@pytest.mark.long
def test_whole_and_recycled_models_are_compared_in_one_block_and_the_bias_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    run_pytest(ROOT, "bench/recycled.py", *SMALL, "--scale=proxy", "--depth=3", f"--record={path}")
    known = record.load(path)
    assert len(known.scenarios) == 2
    for scenario in known.scenarios.values():
        assert set(scenario.arms) == {"moe", "dense", "moe/of2", "dense/of2", "anchor"}
    said = run_module(ROOT, "bench", "report", str(path)).said
    assert said.count("| 2                   |") == 4
