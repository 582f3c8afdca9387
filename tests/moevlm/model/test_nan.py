"""NaN in a weight, an image or a cache surfaces in the logits of prefill and of decode steps: nothing heals it."""

import pytest
import torch

from moevlm import decode_step, prefill
from moevlm.kernels.backends import set_expert_backend
from tests.moevlm.generation.test_generation import left_padded

LAYER = "model.language_model.layers.0"
ALL = slice(None)
ATTENTION = {  # a weight -> where it is NaN: at one place, but where a token reads one row, or one expert, of many
    f"{LAYER}.self_attn.q_proj.weight": (0, 0),
    f"{LAYER}.self_attn.k_proj.weight": (0, 0),
    f"{LAYER}.self_attn.v_proj.weight": (0, 0),
    f"{LAYER}.self_attn.q_norm.weight": 0,
    f"{LAYER}.self_attn.k_norm.weight": 0,
}
SHARED = {
    "model.language_model.embed_tokens.weight": (ALL, 0),
    f"{LAYER}.input_layernorm.weight": 0,
    **ATTENTION,
    f"{LAYER}.self_attn.o_proj.weight": (0, 0),
    f"{LAYER}.post_attention_layernorm.weight": 0,
    "model.language_model.norm.weight": 0,
    "lm_head.weight": (ALL, 0),
}
DENSE = {f"{LAYER}.mlp.gate_up_proj": (0, 0, 0), f"{LAYER}.mlp.down": (0, 0, 0)}  # all else is the MoE's
SPARSE = {
    f"{LAYER}.mlp.gate.weight": (3, 0),
    f"{LAYER}.mlp.experts.gate_up_proj": (ALL, 0, 0),
    f"{LAYER}.mlp.experts.down": (ALL, 0, 0),
}
LENGTHS = {1: [9], 3: [20, 13, 5]}  # batch size -> tokens of its prompts; 9: fewer than a vector has lanes


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def dtype(request):
    return request.param


@pytest.fixture(params=LENGTHS)
def prompts(request, make_prompt):
    lengths = LENGTHS[request.param]
    ids_BS = make_prompt(len(lengths), max(lengths))
    return left_padded([row[:length] for row, length in zip(ids_BS, lengths, strict=True)])


def check_nan_surfaces(model, prompts, name, at):
    """From a cache without NaN, so in the new token alone, and from the prompt on."""
    healthy = prefill(model, prompts, max_new_tokens=2)
    assert decode_step(model, healthy).logits_BV.isfinite().all()
    with torch.no_grad():
        model.get_parameter(name)[at] = torch.nan
    assert decode_step(model, healthy).logits_BV.isnan().all()
    state = prefill(model, prompts, max_new_tokens=2)
    assert state.logits_BV.isnan().all()
    assert decode_step(model, state).logits_BV.isnan().all()


@pytest.mark.parametrize("name", SHARED)
def test_nan_in_a_weight_around_the_experts_surfaces(make_model, prompts, dtype, name):
    check_nan_surfaces(make_model(dtype, head_dim=64), prompts, name, SHARED[name])


@pytest.mark.parametrize("name", SPARSE)
@pytest.mark.parametrize("backend", ["eager", "grouped_mm", "batched_mm", "moevlm"])
def test_nan_in_a_routers_or_an_experts_weight_surfaces(make_model, prompts, dtype, backend, name):
    model = make_model(dtype, head_dim=64)
    set_expert_backend(model, backend)
    check_nan_surfaces(model, prompts, name, SPARSE[name])


@pytest.mark.parametrize("name", DENSE)
def test_nan_in_a_dense_feed_forwards_weight_surfaces(make_model, prompts, dtype, name):
    check_nan_surfaces(make_model(dtype, head_dim=64, num_experts=0), prompts, name, DENSE[name])


@pytest.mark.parametrize("name", ATTENTION)
def test_nan_surfaces_where_torch_attends_in_decode_too(make_model, prompts, dtype, name):
    check_nan_surfaces(make_model(dtype, head_dim=16), prompts, name, ATTENTION[name])


@pytest.mark.parametrize("num_experts", [8, 0])
def test_nan_in_an_image_surfaces_in_its_sample_alone(make_model, prompt, dtype, num_experts):
    model, pixels = make_model(dtype, head_dim=64, num_experts=num_experts), prompt["pixel_values"].to(dtype)
    pixels[1, 0, 0, 0] = torch.nan
    state = prefill(model, {**prompt, "pixel_values": pixels}, max_new_tokens=2)
    for logits_BV in (state.logits_BV, decode_step(model, state).logits_BV):
        assert logits_BV[1].isnan().all()
        assert logits_BV[0].isfinite().all()
