"""Cached steps in fixed shapes: what a graph would replay is compared with the oracle, and the replay with it."""

import pytest
import torch

import bench.decoding as decoding
import moevlm
from bench.checks.passes import PassChecks, checks_of
from bench.decoding import Decoding
from bench.harness.agreement import WrongAnswer
from fixtures.inputs import Inputs, make_inputs
from fixtures.models import Twins, build_twins
from fixtures.oracle.keeper import Oracle
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm import StaticDecoder
from moevlm.model.processing import build_processor

NUM_STEPS = 3
ARMS = ("moe", "dense")


@pytest.fixture
def twins() -> Twins:
    return build_twins("tiny", device=torch.device("cpu"), dtype=torch.bfloat16)


@pytest.fixture
def inputs(twins: Twins) -> Inputs:
    samples = sample(load_workload("mmmu"), num_samples=3, seed=0)
    processor = build_processor(twins["moe"].config)
    return make_inputs(samples, processor, seq_len="natural", device="cpu", dtype=torch.bfloat16)


@pytest.fixture
def checks(twins: Twins, inputs: Inputs) -> PassChecks:
    return checks_of(Oracle(), twins, inputs)


@pytest.fixture
def static(monkeypatch: pytest.MonkeyPatch, twins: Twins, inputs: Inputs) -> Decoding:
    """Decode in fixed shapes, as on a GPU, but with steps that nothing has captured."""

    def uncaptured(model, batch, num_steps):
        batch_size, length = batch.tensors["input_ids"].shape
        max_length = length + num_steps
        return StaticDecoder(model, batch_size=batch_size, max_length=max_length, capture=lambda step: step)

    monkeypatch.setattr(decoding, "_captured", uncaptured)
    return Decoding(twins, inputs, num_steps=NUM_STEPS)


@pytest.mark.parametrize("arm", ARMS)
def test_plain_and_static_steps_agree(twins, inputs, checks, static, arm):
    Decoding(twins, inputs, num_steps=NUM_STEPS).check(checks)(arm)
    static.check(checks)(arm)


@pytest.mark.parametrize("arm", ARMS)
def test_a_static_step_that_is_wrong_is_found_by_the_oracle(static, checks, arm):
    static.decoders[arm]._is_seen_BL = torch.ones_like(static.decoders[arm]._is_seen_BL)  # padding and what is to come
    static.decoders[arm]._load = lambda state, load=static.decoders[arm]._load: (
        load(state), static.decoders[arm]._position_B1.add_(1)
    )  # fmt: skip
    with pytest.raises(WrongAnswer, match=r"at .*decode step 1"):
        static.check(checks)(arm)


@pytest.mark.parametrize("arm", ARMS)
def test_a_replay_that_differs_from_its_step_is_found(static, checks, arm):
    decoder = static.decoders[arm]
    step = decoder._replay

    def stale() -> None:
        step()
        decoder._logits_BV.mul_(1.5)

    decoder._replay = stale
    with pytest.raises(WrongAnswer, match=f"replayed logits of {arm}"):
        static.check(checks)(arm)


@pytest.mark.parametrize("arm", ARMS)
def test_a_prompt_that_is_wrong_in_the_decoders_memory_alone_is_found(monkeypatch, static, checks, arm):
    def corrupting(model, tensors, *, max_new_tokens, memory=None):
        state = prefill(model, tensors, max_new_tokens=max_new_tokens, memory=memory)
        if memory is not None:
            with torch.inference_mode():
                for layer in memory:
                    layer.values[:, :, : state.length] *= 1.5
        return state

    prefill = moevlm.prefill
    monkeypatch.setattr(moevlm, "prefill", corrupting)
    with pytest.raises(WrongAnswer, match="decode step 1"):
        static.check(checks)(arm)
