"""llama.cpp over our weights, where it is installed: logits, cached steps and batches beside our own model's."""

import pytest
import torch

from bench.checks.passes import checks_of
from bench.peers.decoders import peer_arms
from fixtures.inputs import make_inputs
from fixtures.models import build_twins
from fixtures.oracle.keeper import Oracle
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm.generation import answer, prefill
from moevlm.model.processing import build_processor
from tests.bench.peers.whole_run import fingerprint_of_a_run

llama_cpp = pytest.importorskip("llama_cpp")

NUM_TOKENS = 6
ARMS = ("moe", "dense", "dense_active")
COSINES = {torch.float32: 0.9999, torch.bfloat16: 0.99}


@pytest.fixture(scope="module", params=COSINES, ids=str)
def twins(request):
    return build_twins("tiny", arms=ARMS, device=torch.device("cpu"), dtype=request.param)


@pytest.fixture(scope="module", params=["natural", 128])  # natural: unequal prompts, padded on the left
def inputs(twins, request):
    samples = sample(load_workload("docvqa"), num_samples=3, seed=3)
    processor = build_processor(twins["moe"].config)
    return make_inputs(samples, processor, seq_len=request.param, device="cpu", dtype=twins["moe"].dtype)


@pytest.mark.parametrize("arm", ARMS)
def test_its_logits_are_our_models(twins, inputs, arm):
    (theirs,) = peer_arms(["llama.cpp"], {arm: twins[arm]}, inputs, room=NUM_TOKENS).values()
    ours = prefill(twins[arm], inputs.tensors, max_new_tokens=1).logits_BV
    cosine_B = torch.cosine_similarity(theirs.prompt().double(), ours.double(), dim=-1)
    assert cosine_B.min() >= COSINES[twins[arm].dtype]
    theirs.check(checks_of(Oracle(), twins, inputs), NUM_TOKENS)


@pytest.mark.parametrize("arm", ARMS)
def test_its_answers_in_float32_are_our_models(twins, inputs, arm):
    if twins[arm].dtype is not torch.float32:
        pytest.skip("near-ties fall either way in 16 bits")
    (theirs,) = peer_arms(["llama.cpp"], {arm: twins[arm]}, inputs, room=NUM_TOKENS).values()
    expected = answer(twins[arm], inputs.tensors, max_new_tokens=NUM_TOKENS)
    assert torch.equal(theirs.answer(NUM_TOKENS), expected)
    decode = theirs.decoding(NUM_TOKENS - 1)
    assert torch.equal(decode(), expected[:, 1:])
    assert torch.equal(decode(), expected[:, 1:])  # nothing of the first run is left in the cache


@pytest.mark.parametrize("threads", [1, 2])
def test_it_runs_on_as_many_threads_as_torch(twins, inputs, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        (theirs,) = peer_arms(["llama.cpp"], {"moe": twins["moe"]}, inputs, room=1).values()
        context = theirs.decoder.context
        assert (llama_cpp.llama_n_threads(context), llama_cpp.llama_n_threads_batch(context)) == (threads, threads)
    finally:
        torch.set_num_threads(before)


@pytest.mark.long
def test_it_is_an_arm_of_prefill_decode_and_generate(tmp_path):
    fingerprint = fingerprint_of_a_run(tmp_path, "llama.cpp", scale="tiny")
    assert fingerprint["llama-cpp-python"] == llama_cpp.__version__
