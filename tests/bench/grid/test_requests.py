"""Tests of drawn requests: what scenarios' own inputs count of the same samples."""

import pytest
import torch

from bench.grid.requests import requests_of
from fixtures.inputs import make_inputs
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm.costs import phase_cost
from moevlm.model.processing import build_processor
from moevlm.presets import preset_config

BEGINNING = 3  # requests whose pictures are drawn


@pytest.mark.parametrize(
    ("workload", "visual", "name"), [("mmmu-cot", "fixed", "mmmu-cot"), ("docvqa", "anyres", "docvqa-anyres")]
)
def test_requests_are_those_of_the_samples_that_scenarios_draw(workload: str, visual: str, name: str) -> None:
    found = requests_of("tiny", ("moe",), workload, visual, 4)
    assert (found["scale"], found["workload"], len(found["drawn"])) == ("tiny", name, 200)
    task, processor = load_workload(workload, visual=visual), build_processor(preset_config("tiny", visual=visual))
    for one, drawn in zip(sample(task, num_samples=BEGINNING, seed=0), found["drawn"], strict=False):
        batch = make_inputs([one], processor, seq_len="natural", device="cpu", dtype=torch.float32)
        assert drawn == [batch.num_prompt_tokens, batch.num_tiles, one.num_output_tokens]


def test_a_further_tile_costs_its_products_and_reads_no_weights_again() -> None:
    tile = requests_of("tiny", ("moe", "dense"), "chartqa", "fixed", 4)["tile"]
    assert set(tile) == {"moe", "dense"}
    seven, three = (phase_cost(preset_config("tiny"), "vision", num_tiles=n, dtype_bytes=4).flops for n in (7, 3))
    assert tile["moe"]["flops"] == pytest.approx((seven - three) / 4)
    assert tile["moe"]["bytes"] == 0.0
