"""Tests of the router: against Qwen3-MoE's."""

import pytest
import torch
from transformers import Qwen3MoeConfig
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeTopKRouter

from moevlm import MoEVLMTextConfig
from moevlm.router import MoEVLMRouter

NUM_EXPERTS = 16
TOP_K = 2


def make_router(*, norm_topk_prob=True, top_k=TOP_K, dtype=torch.float32, num_experts=NUM_EXPERTS):
    config = MoEVLMTextConfig(
        hidden_size=32, num_experts=num_experts, num_experts_per_tok=top_k, norm_topk_prob=norm_topk_prob
    )
    router = MoEVLMRouter(config).to(dtype)
    torch.manual_seed(0)
    torch.nn.init.normal_(router.weight, std=0.2)
    return router


def hidden(num_tokens, dtype=torch.float32):
    return torch.randn(num_tokens, 32, generator=torch.Generator().manual_seed(2)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("norm_topk_prob", [True, False])
def test_routes_as_qwen3_moe_does(norm_topk_prob, dtype):
    ours = make_router(norm_topk_prob=norm_topk_prob, dtype=dtype)
    theirs = Qwen3MoeTopKRouter(
        Qwen3MoeConfig(
            hidden_size=32, num_experts=NUM_EXPERTS, num_experts_per_tok=TOP_K, norm_topk_prob=norm_topk_prob
        )
    ).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    for ours_out, theirs_out in zip(ours(hidden(64, dtype)), theirs(hidden(64, dtype)), strict=True):
        assert torch.equal(ours_out, theirs_out)


def test_weights_equal_the_softmax_over_all_experts_renormalised_over_the_chosen():
    router = make_router()
    logits_TE, weights_TK, ids_TK = router(hidden(64))
    chosen_TK = logits_TE.double().exp().gather(1, ids_TK)
    torch.testing.assert_close(weights_TK.double(), chosen_TK / chosen_TK.sum(1, keepdim=True), rtol=1e-5, atol=1e-6)


def test_weights_without_renormalisation_are_the_chosen_probabilities():
    logits_TE, weights_TK, ids_TK = make_router(norm_topk_prob=False)(hidden(64))
    torch.testing.assert_close(weights_TK, logits_TE.softmax(-1).gather(1, ids_TK))
    assert (weights_TK.sum(1) < 1).all()
