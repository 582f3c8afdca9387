"""A captured decode step asks the GPU for no value, with every backend that a graph can hold; what does is found.

On a GPU that is not there, whose graphs do the same operations again on the same tensors.
"""

import os

import pytest
import torch

from moevlm import StaticDecoder, prefill
from moevlm.kernels.backends import set_expert_backend
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.tables import apply_profile
from tests.rehearsed import gpu

__all__ = ["gpu"]

needs_interpreter = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") != "1", reason="needs Triton's interpreter: TRITON_INTERPRET=1"
)
CAPTURED = [  # what may be captured: backend and dtype
    ("grouped_mm", torch.bfloat16),
    ("batched_mm", torch.float32),
    pytest.param("moevlm", torch.float32, marks=needs_interpreter),
]


def decoder_on(gpu, make_model, make_prompt, backend, dtype, **sizes):
    model, inputs = make_model(dtype, **sizes).to(gpu), {"input_ids": make_prompt(2, 12).to(gpu)}
    set_expert_backend(model, backend)
    apply_profile(model, RoutingProfile(name="uniform"))
    decoder = StaticDecoder(model, batch_size=2, max_length=24)
    return decoder, prefill(model, inputs, max_new_tokens=4, memory=decoder.memory)


@pytest.mark.parametrize("num_experts", [8, 0])
@pytest.mark.parametrize(("backend", "dtype"), CAPTURED)
def test_a_step_is_captured_and_its_replays_are_the_step(gpu, make_model, make_prompt, backend, dtype, num_experts):
    decoder, state = decoder_on(gpu, make_model, make_prompt, backend, dtype, num_experts=num_experts)
    replayed, plain = (decoder.decode_steps(state, num_steps=4, replayed=way) for way in (True, False))
    bound = 1e-5 if dtype is torch.float32 else 0  # ours replays few launches, and runs the modules otherwise
    torch.testing.assert_close(replayed.logits_BV.cpu(), plain.logits_BV.cpu(), rtol=0, atol=bound)
    assert replayed.tokens_BN.tolist() == plain.tokens_BN.tolist()


@pytest.mark.parametrize(("backend", "dtype"), [("grouped_mm", torch.float32), ("eager", torch.bfloat16)])
def test_backends_that_ask_for_values_are_refused(gpu, make_model, make_prompt, backend, dtype):
    with pytest.raises(ValueError, match="must not wait for the GPU"):
        decoder_on(gpu, make_model, make_prompt, backend, dtype)


@pytest.mark.parametrize(
    "ask",
    [
        lambda hidden: hidden.sum().item(),
        lambda hidden: hidden.nonzero(),
        lambda hidden: hidden.cpu(),
        lambda hidden: hidden[hidden > 0],
        lambda hidden: hidden.new_tensor([1.0]) if hidden.isnan().any() else None,
    ],
)
def test_a_step_that_asks_for_a_value_is_found(gpu, make_model, make_prompt, ask, monkeypatch):
    from moevlm.model.norms import MoEVLMRMSNorm

    forward = MoEVLMRMSNorm.forward
    monkeypatch.setattr(MoEVLMRMSNorm, "forward", lambda norm, hidden: (ask(hidden), forward(norm, hidden))[1])
    with pytest.raises(ValueError, match="must not wait for the GPU"):
        decoder_on(gpu, make_model, make_prompt, "batched_mm", torch.float32)
