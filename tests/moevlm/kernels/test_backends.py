"""Expert backends: each against the float64 oracle, the oracle against transformers, and the dense twin."""

import pytest
import torch
from transformers import Qwen3MoeConfig
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeExperts

from moevlm import EXPERT_BACKENDS, MoEVLMTextConfig, set_expert_backend
from moevlm.kernels.backends import reference_experts
from moevlm.model.feedforward import MoEVLMDenseMLP, MoEVLMExperts

E, K, H, WIDTH = 8, 2, 64, 32  # the least that the CPU kernels take
RELATIVE_BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 1e-2}


def make_experts(backend, dtype):
    config = MoEVLMTextConfig(hidden_size=H, num_experts=E, num_experts_per_tok=K, moe_intermediate_size=WIDTH)
    config._experts_implementation = backend
    experts = MoEVLMExperts(config).to(dtype)
    torch.manual_seed(0)
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return experts


def routed(num_tokens, dtype, top_k=K):
    generator = torch.Generator().manual_seed(3)
    hidden_TH = torch.randn(num_tokens, H, generator=generator, dtype=torch.float64).to(dtype)
    weights_TK, ids_TK = torch.rand(num_tokens, E, generator=generator).topk(top_k)
    return hidden_TH, ids_TK, weights_TK.to(dtype)


def relative_error(actual, expected):
    return (actual.double() - expected.double()).norm() / expected.double().norm()


# torch's grouped product takes no float64.
BACKENDS_AND_DTYPES = [
    pytest.param(backend, dtype, id=f"{backend}-{dtype}")
    for backend in EXPERT_BACKENDS
    for dtype in RELATIVE_BOUNDS
    if (backend, dtype) != ("grouped_mm", torch.float64)
]


@pytest.mark.parametrize("num_tokens", [1, 5, 40])
@pytest.mark.parametrize(("backend", "dtype"), BACKENDS_AND_DTYPES)
def test_every_backend_agrees_with_the_oracle(backend, dtype, num_tokens):
    experts, inputs = make_experts(backend, dtype), routed(num_tokens, dtype)
    with torch.no_grad():
        oracle = reference_experts(experts.gate_up_proj, experts.down, *inputs)
        assert relative_error(experts(*inputs), oracle) < RELATIVE_BOUNDS[dtype]


def test_oracle_agrees_with_qwen3_moes_experts_in_float64():
    config = Qwen3MoeConfig(hidden_size=H, num_experts=E, num_experts_per_tok=K, moe_intermediate_size=WIDTH)
    config._experts_implementation = "eager"
    theirs, ours = Qwen3MoeExperts(config).double(), make_experts("eager", torch.float64)
    inputs = routed(20, torch.float64)
    with torch.no_grad():
        theirs.gate_up_proj.copy_(ours.gate_up_proj)
        theirs.down_proj.copy_(ours.down_proj)
        oracle = reference_experts(ours.gate_up_proj, ours.down, *inputs)
        assert relative_error(oracle, theirs(*inputs)) < 1e-14


@pytest.mark.parametrize(("backend", "dtype"), BACKENDS_AND_DTYPES)
def test_all_experts_with_weight_one_equal_the_dense_twin_of_the_same_tensors(backend, dtype):
    experts = make_experts(backend, dtype)
    dense = MoEVLMDenseMLP(MoEVLMTextConfig(hidden_size=H, intermediate_size=E * WIDTH, ffn_block_size=WIDTH))
    dense.gate_up_proj, dense.down = experts.gate_up_proj, experts.down
    hidden_TH, ids_TK, weights_TK = routed(20, dtype, top_k=E)
    with torch.no_grad():
        twin = dense(hidden_TH[None])[0]
        error = relative_error(experts(hidden_TH, ids_TK, torch.ones_like(weights_TK)), twin)
    assert error < RELATIVE_BOUNDS[dtype]


def test_backends_read_the_stored_down_projection_without_a_copy():
    experts = make_experts("eager", torch.float32)
    assert experts.down_proj.shape == (E, H, WIDTH)
    assert experts.down_proj.data_ptr() == experts.down.data_ptr()
    assert set(dict(experts.named_parameters())) == {"gate_up_proj", "down"}


@pytest.mark.parametrize("backend", ["eager", "grouped_mm", "moevlm"])
def test_gradients_equal_the_oracles(backend):
    gradients = []
    for name in (backend, "reference"):
        experts, (hidden_TH, ids_TK, weights_TK) = make_experts(name, torch.float32), routed(20, torch.float32)
        leaves = [hidden_TH.requires_grad_(), weights_TK.requires_grad_(), experts.gate_up_proj, experts.down]
        gradients.append(torch.autograd.grad(experts(hidden_TH, ids_TK, weights_TK).square().sum(), leaves))
    for actual, expected in zip(*gradients, strict=True):
        assert relative_error(actual, expected) < 1e-4


def test_setting_a_backend_reaches_every_layer_of_the_model(make_model, make_prompt):
    model, ids_BS = make_model(), make_prompt(1, 6)
    set_expert_backend(model, "reference")
    oracle = model(ids_BS).logits
    for backend in EXPERT_BACKENDS:
        set_expert_backend(model, backend)
        assert {layer.mlp.experts.config._experts_implementation for layer in model.model.language_model.layers} == {
            backend
        }
        torch.testing.assert_close(model(ids_BS).logits, oracle, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", RELATIVE_BOUNDS)
def test_dense_twin_computes_the_same_with_and_without_gradients(dtype):
    dense = MoEVLMDenseMLP(MoEVLMTextConfig(hidden_size=H, intermediate_size=E * WIDTH, ffn_block_size=WIDTH)).to(dtype)
    torch.manual_seed(0)
    for parameter in dense.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    hidden_BSH = routed(6, dtype)[0].view(2, 3, H)
    with torch.no_grad():
        kernels = dense(hidden_BSH)
    products = dense(hidden_BSH)
    assert products.requires_grad
    assert kernels.shape == products.shape
    assert relative_error(kernels, products.detach()) < RELATIVE_BOUNDS[dtype]


def test_unknown_backend_names_the_known_ones(make_model):
    with pytest.raises(
        ValueError, match="must be one of eager, grouped_mm, batched_mm, moevlm, reference, got 'fused'; "
    ):
        set_expert_backend(make_model(), "fused")
