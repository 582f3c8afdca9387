"""Tests of the router: against Qwen3-MoE's, and one rule for equal experts on every path."""

import pytest
import torch
from transformers import Qwen3MoeConfig
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeTopKRouter

from moevlm import MoEVLMTextConfig, decode_steps, prefill
from moevlm.kernels.backends import set_expert_backend
from moevlm.routing.router import MoEVLMRouter

NUM_EXPERTS = 16
TOP_K = 2


def make_router(*, norm_topk_prob=True, top_k=TOP_K, dtype=torch.float32, num_experts=NUM_EXPERTS, hidden_size=32):
    config = MoEVLMTextConfig(
        hidden_size=hidden_size, num_experts=num_experts, num_experts_per_tok=top_k, norm_topk_prob=norm_topk_prob
    )
    router = MoEVLMRouter(config).to(dtype)
    torch.manual_seed(0)
    torch.nn.init.normal_(router.weight, std=0.2)
    return router


def their_router(ours):
    """transformers' router with the weights of ours."""
    num_experts, hidden_size = ours.weight.shape
    config = Qwen3MoeConfig(
        hidden_size=hidden_size,
        num_experts=num_experts,
        num_experts_per_tok=ours.top_k,
        norm_topk_prob=ours.norm_topk_prob,
    )
    theirs = Qwen3MoeTopKRouter(config).to(ours.weight.dtype)
    theirs.load_state_dict(ours.state_dict())
    return theirs


def hidden(num_tokens, dtype=torch.float32):
    return torch.randn(num_tokens, 32, generator=torch.Generator().manual_seed(2)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("norm_topk_prob", [True, False])
def test_routes_as_qwen3_moe_does(norm_topk_prob, dtype):
    ours = make_router(norm_topk_prob=norm_topk_prob, dtype=dtype)
    theirs = their_router(ours)
    for ours_out, theirs_out in zip(ours(hidden(64, dtype)), theirs(hidden(64, dtype)), strict=True):
        assert torch.equal(ours_out, theirs_out)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("top_k", [1, 2, 8])
@pytest.mark.parametrize("num_experts", [8, 16, 64, 128, 256])
@torch.no_grad()
def test_equal_experts_are_chosen_as_qwen3_moe_chooses_at_every_number_of_tokens(num_experts, top_k, dtype):
    ours = make_router(num_experts=num_experts, top_k=top_k, dtype=dtype, hidden_size=64)
    ours.weight.copy_((4 * ours.weight).round())  # some 5 values: most experts are equal to others
    one_hot_TH = torch.eye(64, dtype=dtype)  # a token's logits are a column of the weight, however they are summed
    expected = their_router(ours)(one_hot_TH)
    tolerance = torch.finfo(dtype).eps
    for num_tokens in (1, 2, 3, 8, 64):
        batches = zip(*map(ours, one_hot_TH.split(num_tokens)), strict=True)
        logits_TE, weights_TK, ids_TK = (torch.cat(results) for results in batches)
        assert torch.equal(logits_TE, expected[0])
        assert torch.equal(ids_TK, expected[2])
        torch.testing.assert_close(weights_TK, expected[1], rtol=tolerance, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("backend", ["eager", "grouped_mm", "batched_mm", "moevlm"])
def test_prefill_and_decode_choose_the_same_of_equal_experts(make_model, make_prompt, backend, batch_size, dtype):
    model, chosen = make_model(dtype, num_experts_per_tok=3), []
    set_expert_backend(model, backend)
    for layer in model.model.language_model.layers:
        torch.nn.init.zeros_(layer.mlp.gate.weight)
        layer.mlp.gate.register_forward_hook(lambda _module, _inputs, routing: chosen.append(routing.ids_TK))
    state = prefill(model, {"input_ids": make_prompt(batch_size, 20)}, max_new_tokens=5)
    decode_steps(model, state, num_steps=4)
    expected_K = torch.topk(torch.full((8,), 1 / 8), 3).indices
    assert [len(ids_TK) for ids_TK in chosen] == [20 * batch_size] * 2 + [batch_size] * 2 * 4
    assert all((ids_TK == expected_K).all() for ids_TK in chosen)
