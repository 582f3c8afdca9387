"""A GPU's decode step in few launches: the modules' answers, and left wherever something asks for these.

In Triton's interpreter (TRITON_INTERPRET=1), on a CPU's tensors, but for the rules, which run nothing.
"""

import re

import pytest
import torch
from torch import nn

from moevlm import StaticDecoder, decode_steps, prefill, set_expert_backend
from moevlm.generation import static
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.tables import apply_profile
from tests.moevlm.generation.test_generation import left_padded
from tests.moevlm.kernels.triton.where import DEVICE, needs_kernels

pytest.importorskip("triton", reason="Triton is not installed")
from moevlm.generation import gpu_check, gpu_layer
from moevlm.generation.gpu_steps import gpu_steps

NEW_TOKENS = 6


def plain(step):
    return step


@pytest.fixture
def make(make_model):
    """Build a small model under our backend, on the tests' device."""

    def build(**config):
        model = make_model(**config).to(DEVICE)
        set_expert_backend(model, "moevlm")
        model.model.language_model.join_projections()
        return model

    return build


@pytest.fixture
def few_launches(monkeypatch):
    """Let a decoder take the few launches on any device."""
    checked = []

    def chosen(model, memory):
        steps = gpu_steps(model, memory)
        assert steps is not None
        checked.append(gpu_check.flaw(steps))
        return steps

    monkeypatch.setattr(static, "_gpu_steps", chosen)
    return checked


def both_ways(model, inputs, batch_size=None):
    """Return what the growing cache and a decoder of few launches answer after the same prompt."""
    inputs = {name: tensor.to(DEVICE) for name, tensor in inputs.items()}
    size = batch_size or len(inputs["input_ids"])
    decoder = StaticDecoder(model, batch_size=size, max_length=32, capture=plain)
    state = prefill(model, inputs, max_new_tokens=NEW_TOKENS)
    expected = decode_steps(model, state, num_steps=NEW_TOKENS, by_modules=True)
    start = prefill(model, inputs, max_new_tokens=NEW_TOKENS, memory=decoder.memory)
    return expected, decoder.decode_steps(start, num_steps=NEW_TOKENS)


def assert_same(expected, found):
    torch.testing.assert_close(found.logits_BV, expected.logits_BV, rtol=1e-4, atol=1e-4)
    assert torch.equal(found.tokens_BN, expected.tokens_BN)
    for one, other in zip(found.cache.layers, expected.cache.layers, strict=True):
        torch.testing.assert_close(one.keys, other.keys, rtol=1e-4, atol=1e-4)
        assert one.keys.shape == other.keys.shape


@needs_kernels
@pytest.mark.parametrize("num_experts", [8, 0])
@pytest.mark.parametrize("num_samples", [1, 3])
def test_few_launches_choose_the_tokens_that_modules_do(make, few_launches, make_prompt, num_samples, num_experts):
    expected, found = both_ways(make(num_experts=num_experts), {"input_ids": make_prompt(num_samples, 20)})
    assert_same(expected, found)
    assert few_launches == [None]


@needs_kernels
def test_a_padded_batch_fills_part_of_a_bucket(make, few_launches, make_prompt):
    prompts = make_prompt(3, 20)
    inputs = left_padded([prompts[0], prompts[1, :13], prompts[2, :5]])
    assert_same(*both_ways(make(), inputs, batch_size=4))


@needs_kernels
@pytest.mark.parametrize("profile", ["uniform", "specialized:3"])
def test_a_routing_profile_steers_them(make, few_launches, make_prompt, profile):
    model = make()
    apply_profile(model, RoutingProfile.parse(profile))
    assert_same(*both_ways(model, {"input_ids": make_prompt(2, 20)}))
    assert few_launches == [None]


@needs_kernels
def test_hard_routing_keeps_text_to_its_experts(make, few_launches, make_prompt):
    assert_same(*both_ways(make(num_text_experts=4), {"input_ids": make_prompt(2, 20)}))


def wrong_attention(query_BNW, *_, **__):
    return torch.zeros_like(query_BNW)


def wrong_routing(logits_BE, *_, top_k, **__):
    ids_BK = torch.zeros(len(logits_BE), top_k, dtype=torch.int64, device=DEVICE)
    return gpu_layer.Chosen(ids_BK, torch.ones(len(logits_BE), top_k, device=DEVICE))


@needs_kernels
@pytest.mark.parametrize(
    ("part", "wrong", "what"),
    [("attend", wrong_attention, "attention is .* off"), ("route", wrong_routing, "experts' weights are .* off")],
)
def test_what_is_wrong_is_found_before_it_is_captured(make, few_launches, monkeypatch, part, wrong, what):
    monkeypatch.setattr(gpu_layer, part, wrong)
    decoder = StaticDecoder(make(), batch_size=2, max_length=32, capture=plain)
    (why,) = few_launches
    assert re.match(what, why)
    assert not any(states.any() for layer in decoder.memory for states in layer)  # as it was taken


@needs_kernels
def test_wrong_attention_is_found_where_it_adds_little_to_the_stream(make, few_launches, monkeypatch):
    """Weights as models begin, and a cache so long that noise averages out."""
    monkeypatch.setattr(gpu_layer, "attend", wrong_attention)
    StaticDecoder(make(initializer_range=0.02), batch_size=2, max_length=2000, capture=plain)
    (why,) = few_launches
    assert float(why.split()[2]) > 2 * max(gpu_check.BOUNDS.values())


def test_a_decoder_whose_launches_are_wrong_warns_and_calls_the_modules(make, monkeypatch):
    model = make()
    monkeypatch.setattr(type(model), "device", torch.device("cuda"))
    monkeypatch.setattr(gpu_check, "flaw", lambda _: "attention is 0.5 off where 0.1 is rounding")
    with torch.inference_mode(), pytest.warns(UserWarning, match="call this model's modules, as in few launches atten"):
        assert static._gpu_steps(model, memory_of(model)) is None
    monkeypatch.setattr(gpu_check, "flaw", lambda _: None)
    with torch.inference_mode():
        assert static._gpu_steps(model, memory_of(model)) is not None


def memory_of(model):
    keys = torch.zeros(1, 2, 8, 16)
    return [static.LayerMemory(keys, keys.clone()) for _ in model.model.language_model.layers]


def adapt(model):
    layer = model.model.language_model.layers[1]
    layer.self_attn.o_proj = nn.Sequential(layer.self_attn.o_proj).eval()


ASKERS = {
    "a hook": lambda model: model.model.language_model.layers[1].mlp.register_forward_hook(lambda *_: None),
    "an adapter": adapt,
    "training": lambda model: model.train(),
    "another backend": lambda model: set_expert_backend(model, "grouped_mm"),
    "another attention": lambda model: model.set_attn_implementation("eager"),
    "projections apart": lambda model: setattr(
        model.model.language_model.layers[0].self_attn.q_proj, "weight", nn.Parameter(torch.randn(64, 64))
    ),
    "a norm in another dtype": lambda model: model.model.language_model.layers[0].input_layernorm.bfloat16(),
}


@pytest.mark.parametrize("asker", ASKERS)
def test_whatever_asks_for_modules_gets_them(make, asker):
    model = make()
    with torch.inference_mode():
        assert gpu_steps(model, memory_of(model)) is not None
    ASKERS[asker](model)
    with torch.inference_mode():
        assert gpu_steps(model, memory_of(model)) is None


def test_gradients_ask_for_modules(make):
    model = make()
    assert torch.is_grad_enabled()
    assert gpu_steps(model, memory_of(model)) is None


def test_no_prefill_moves_weights_that_a_graph_reads(make_model, make_prompt):
    model = make_model()
    decoder = StaticDecoder(model, batch_size=1, max_length=32, capture=plain)
    places = [weight.data_ptr() for weight in model.parameters()]
    prefill(model, {"input_ids": make_prompt(1, 20)}, max_new_tokens=4, memory=decoder.memory)
    assert [weight.data_ptr() for weight in model.parameters()] == places
