"""transformers' loop wound back: each run is the middle of one uninterrupted generate(), whatever the cache."""

import pytest
import torch

from bench.peers.steps import CACHES, ContinuedGenerate
from fixtures.inputs import make_inputs
from fixtures.models import build_twins
from fixtures.oracle.model import transformers_model
from fixtures.tasks import sample
from fixtures.workload import load_workload
from moevlm.model.processing import build_processor

NUM_STEPS = 5


@pytest.mark.parametrize("seq_len", [128, "natural"])  # natural: unequal prompts, padded on the left
@pytest.mark.parametrize("cache", CACHES)
def test_every_run_gives_the_tokens_after_the_first(cache, seq_len):
    model = build_twins("tiny", arms=["moe"], device=torch.device("cpu"), dtype=torch.float32)["moe"]
    samples = sample(load_workload("docvqa"), num_samples=3, seed=3)
    inputs = make_inputs(
        samples, build_processor(model.config), seq_len=seq_len, device=torch.device("cpu"), dtype=torch.float32
    )
    theirs = transformers_model(model, "grouped_mm")
    with torch.inference_mode():
        whole = theirs.generate(**inputs.tensors, max_new_tokens=1 + NUM_STEPS, do_sample=False, eos_token_id=None)
    continued = ContinuedGenerate(theirs, inputs, cache=cache, num_steps=NUM_STEPS)
    expected = whole[:, inputs.tensors["input_ids"].shape[1] + 1 :]
    assert torch.equal(continued(), expected)
    assert torch.equal(continued(), expected)  # nothing of the first run is left in the cache
