"""Decode steps by operators: what the modules and transformers' own model answer, left at once for whoever asks."""

import contextlib
import gc
import warnings
import weakref
from importlib import import_module

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from moevlm import decode_steps, prefill, set_expert_backend
from moevlm.generation import FUSED, MODULES, answer, decode_path, fused, fused_steps
from moevlm.kernels.cpu import ops
from moevlm.kernels.cpu.build import load
from moevlm.model.batch_part import BatchPart
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.replay import record_routing, save_routing
from moevlm.steering.tables import apply_profile
from tests.moevlm.model.transformers_twin import twin_of

pytestmark = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
DTYPES = (torch.float32, torch.bfloat16)
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 6e-2}  # relative, of a row of logits
HEAD_DIM, NEW_TOKENS = 64, 12
VARIANTS = ("smoes-attention", "smoes-gaussian", "hard-scores", "hard-routing")


@pytest.fixture
def make(make_model):
    """Build a small model whose layers the operator takes; as `make_model`."""
    return lambda dtype=torch.float32, **config: make_model(dtype, **{"head_dim": HEAD_DIM, **config})


@pytest.fixture
def batch(make_prompt):
    """Draw prompts of so many samples, of which the second is padded."""

    def make(num_samples, length=20):
        mask_BS = torch.ones(num_samples, length, dtype=torch.long)
        mask_BS[1:2, :7] = 0
        return {"input_ids": make_prompt(num_samples, length), "attention_mask": mask_BS}

    return make


def both_ways(model, inputs, num_steps=NEW_TOKENS):
    """Return the steps by operators and by modules, from prompts of their own."""
    state, other = (prefill(model, inputs, max_new_tokens=num_steps) for _ in range(2))
    assert decode_path(model, len(inputs["input_ids"])) == FUSED
    return decode_steps(model, state, num_steps=num_steps), decode_steps(
        model, other, num_steps=num_steps, by_modules=True
    )


def assert_equal(found, expected):
    assert torch.equal(found.tokens_BN, expected.tokens_BN)
    assert torch.equal(found.logits_BV, expected.logits_BV)
    assert found.length == expected.length == found.cache.get_seq_length()
    for one, other in zip(found.cache.layers, expected.cache.layers, strict=True):
        assert torch.equal(one.keys, other.keys)
        assert torch.equal(one.values, other.values)


def largest_error(found_BV, expected_BV):
    return ((found_BV.double() - expected_BV.double()).norm(dim=-1) / expected_BV.double().norm(dim=-1)).max()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("num_experts", [8, 0])
@pytest.mark.parametrize("num_samples", [1, 2, 8])
def test_steps_of_few_samples_are_the_modules_to_the_bit(make, batch, dtype, num_experts, num_samples):
    assert_equal(*both_ways(make(dtype, num_experts=num_experts), batch(num_samples)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("num_experts", [8, 0])
def test_a_step_of_many_samples_is_the_modules_but_for_rounding(make, batch, dtype, num_experts):
    model = make(dtype, num_experts=num_experts, num_experts_per_tok=8)  # all: no two of them are as good
    found, expected = both_ways(model, batch(16), num_steps=1)
    assert largest_error(found.logits_BV, expected.logits_BV) < BOUNDS[dtype]
    for one, other in zip(found.cache.layers, expected.cache.layers, strict=True):
        torch.testing.assert_close(one.keys, other.keys, rtol=BOUNDS[dtype], atol=BOUNDS[dtype])


@pytest.mark.parametrize("num_experts", [8, 0])
@pytest.mark.parametrize("num_samples", [1, 3, 16])
def test_tokens_equal_transformers_own_models(make, batch, num_experts, num_samples):
    model, inputs = make(num_experts=num_experts), batch(num_samples)
    inputs["input_ids"][inputs["attention_mask"] == 0] = 0
    theirs = twin_of(model).generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None)
    assert decode_path(model, num_samples) == FUSED
    tokens_BN = answer(model, inputs, max_new_tokens=NEW_TOKENS)
    assert torch.equal(tokens_BN, theirs[:, inputs["input_ids"].shape[1] :])
    assert len(tokens_BN.unique()) >= 8


@pytest.mark.parametrize("num_experts", [8, 0])
def test_logits_equal_those_of_the_same_model_in_float64(make, batch, num_experts):
    model, inputs = make(num_experts=num_experts), batch(3)
    found, _ = both_ways(model, inputs)
    model.double()
    set_expert_backend(model, "eager")
    exact = decode_steps(model, prefill(model, inputs, max_new_tokens=NEW_TOKENS), num_steps=NEW_TOKENS)
    assert torch.equal(found.tokens_BN, exact.tokens_BN)
    assert largest_error(found.logits_BV, exact.logits_BV) < 1e-4


@pytest.mark.parametrize("dtype", DTYPES)
def test_layers_of_unlike_settings_take_several_calls_and_are_the_modules(make, batch, dtype):
    model = make(dtype, num_hidden_layers=4)
    attention = model.model.language_model.layers[2].self_attn
    attention.scaling *= 2
    expected = both_ways(model, batch(2))
    assert_equal(*expected)
    with torch.no_grad():
        assert fused_steps(model, expected[0])._alike == [[0, 1], [2], [3]]
    attention.scaling /= 2
    found, _ = both_ways(model, batch(2))
    assert not torch.equal(found.logits_BV, expected[0].logits_BV)


def test_rotary_embedding_that_changes_with_the_length_is_the_modules(make, batch):
    factors = {"short_factor": [1.0] * (HEAD_DIM // 2), "long_factor": [4.0] * (HEAD_DIM // 2)}
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": 24, **factors}
    assert_equal(*both_ways(make(rope_parameters=rope), batch(2)))  # from 20 tokens to 32


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("profile", ["uniform", "specialized:3", "replay"])
def test_routing_profiles_steer_the_operator(make, make_prompt, batch, tmp_path, dtype, profile):
    model = make(dtype)
    if profile == "replay":
        image = {"input_ids": make_prompt(2, 20, image_tokens=4), "pixel_values": torch.randn(2, 3, 28, 28).to(dtype)}
        save_routing(tmp_path / "routing.safetensors", record_routing(model, image, num_steps=3))
        profile = f"replay:{tmp_path / 'routing.safetensors'}"
    plain = answer(model, batch(3), max_new_tokens=NEW_TOKENS)
    apply_profile(model, RoutingProfile.parse(profile))
    assert_equal(*both_ways(model, batch(3)))
    assert not torch.equal(answer(model, batch(3), max_new_tokens=NEW_TOKENS), plain)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", VARIANTS)
def test_variants_of_smoes_decode_by_operators_unless_they_are_recorded(make_smoes, batch, dtype, name):
    model, inputs = make_smoes(name, head_dim=HEAD_DIM).to(dtype), batch(2)
    found, expected = both_ways(model, inputs)
    assert_equal(found, expected)
    record = []
    state = prefill(model, inputs, max_new_tokens=NEW_TOKENS, routing_record=record)
    recorded = decode_steps(model, state, num_steps=NEW_TOKENS, routing_record=record)
    assert len(record) == 2 * (1 + NEW_TOKENS)
    if dtype is torch.float32:  # in bfloat16 the score column's other rounding may choose other experts
        assert largest_error(found.logits_BV, recorded.logits_BV) < BOUNDS[dtype]


def test_a_cache_with_modality_scores_is_left_to_the_modules(make_smoes, batch):
    model = make_smoes("smoes-attention", head_dim=HEAD_DIM)
    state = prefill(model, batch(2), max_new_tokens=2, routing_record=[])
    with pytest.raises(ValueError, match="a cache must carry modality scores from its first token on or never"):
        decode_steps(model, state, num_steps=1)


@pytest.mark.parametrize("at_once", [1, 5, NEW_TOKENS])
def test_tables_of_positions_are_the_same_however_many_are_made_together(make, batch, monkeypatch, at_once):
    monkeypatch.setattr(import_module("moevlm.generation.fused_steps"), "STEPS_AT_ONCE", at_once)
    model = make()
    apply_profile(model, RoutingProfile.parse("uniform"))
    assert_equal(*both_ways(model, batch(2)))


@pytest.mark.parametrize("num_experts", [8, 0])
def test_steps_from_one_state_are_the_same_however_often_and_in_parts(make, batch, num_experts):
    model = make(num_experts=num_experts)
    state = prefill(model, batch(2), max_new_tokens=NEW_TOKENS)
    whole, again = (decode_steps(model, state, num_steps=NEW_TOKENS) for _ in range(2))
    half = decode_steps(model, state, num_steps=5)
    rest = decode_steps(model, half, num_steps=NEW_TOKENS - 5, by_modules=True)
    assert torch.equal(whole.tokens_BN, again.tokens_BN)
    assert torch.equal(torch.cat([half.tokens_BN, rest.tokens_BN], dim=1), whole.tokens_BN)
    assert torch.equal(rest.logits_BV, whole.logits_BV)


def last_layer(model):
    return model.model.language_model.layers[1]


@contextlib.contextmanager
def hooked(module, register="register_forward_hook"):
    calls = []
    handle = getattr(module, register)(lambda *call: calls.append(call[0]))
    yield calls
    handle.remove()


@contextlib.contextmanager
def hooked_everywhere(model):
    calls = []
    layers = set(model.model.language_model.layers)
    handle = register_module_forward_hook(lambda module, *_: calls.append(module) if module in layers else None)
    yield calls
    handle.remove()


@contextlib.contextmanager
def offloaded(module):
    """Wrap a module's own forward, as accelerate does."""
    calls, plain = [], module.forward
    module.forward = lambda *args, **keywords: calls.append(module) or plain(*args, **keywords)
    yield calls
    del module.forward


@contextlib.contextmanager
def adapted(module, name):
    """Put another module in a module's place, as an adapter does."""
    calls, plain = [], getattr(module, name)

    class Adapter(nn.Module):
        def forward(self, *args, **keywords):
            calls.append(self)
            return plain(*args, **keywords)

    setattr(module, name, Adapter().eval())
    yield calls
    setattr(module, name, plain)


ASKING = {
    "a hook on a layer": lambda model: hooked(last_layer(model)),
    "a hook before an attention": lambda model: hooked(last_layer(model).self_attn, "register_forward_pre_hook"),
    "a hook on a router": lambda model: hooked(last_layer(model).mlp.gate),
    "a hook on experts": lambda model: hooked(last_layer(model).mlp.experts),
    "a hook on a norm": lambda model: hooked(last_layer(model).post_attention_layernorm),
    "a hook on the decoder": lambda model: hooked(model.model.language_model),
    "a hook on all modules": lambda model: hooked_everywhere(model),
    "a forward of its own": lambda model: offloaded(last_layer(model).mlp),
    "an adapter": lambda model: adapted(last_layer(model).self_attn, "o_proj"),
}


@pytest.mark.parametrize("what", ASKING)
def test_whoever_asks_for_a_module_gets_it_called_at_once_and_the_operators_come_back(make, batch, what):
    model, inputs = make(), batch(2)
    expected, _ = both_ways(model, inputs)
    built = fused.built_of[model]
    state = prefill(model, inputs, max_new_tokens=NEW_TOKENS)
    with ASKING[what](model) as calls:
        assert decode_path(model, 2) == MODULES
        found = decode_steps(model, state, num_steps=NEW_TOKENS)
    assert len(calls) >= NEW_TOKENS
    assert torch.equal(found.logits_BV, expected.logits_BV)
    before = len(calls)
    again, _ = both_ways(model, inputs)
    assert torch.equal(again.logits_BV, expected.logits_BV)
    assert fused.built_of[model] is built
    if what != "an adapter":
        assert len(calls) == before


@pytest.mark.parametrize("name", ["lm_head", "embed_tokens", "norm", "rotary_emb"])
def test_what_is_around_the_layers_runs_with_its_hooks(make, batch, name):
    model = make()
    state = prefill(model, batch(2), max_new_tokens=NEW_TOKENS)
    owner = model if name == "lm_head" else model.model.language_model
    assert decode_path(model, 2) == FUSED  # checked before anything is counted
    with hooked(getattr(owner, name)) as calls:
        assert decode_path(model, 2) == FUSED
        decode_steps(model, state, num_steps=NEW_TOKENS)
    assert len(calls) == NEW_TOKENS


@pytest.mark.parametrize(
    "asking", [offloaded, lambda owner: adapted(owner, "embed_tokens")], ids=["forward", "adapter"]
)
def test_embeddings_of_another_kind_stay_beside_the_operators(make, batch, asking):
    model = make()
    text_model = model.model.language_model
    with asking(text_model.embed_tokens if asking is offloaded else text_model) as calls:
        assert_equal(*both_ways(model, batch(2)))
    assert len(calls) >= NEW_TOKENS


def test_a_record_gets_every_layer_of_every_step(make, batch):
    model, record = make(), []
    state = prefill(model, batch(2), max_new_tokens=3)
    decode_steps(model, state, num_steps=3, routing_record=record)
    assert len(record) == 2 * 3


def test_gradients_get_the_modules(make, batch):
    model = make()
    state = prefill(model, batch(2), max_new_tokens=2)
    assert fused_steps(model, state) is None
    with torch.no_grad():
        assert fused_steps(model, state) is not None


SETTINGS = {
    "training": (lambda model: model.train(), lambda model: model.eval()),
    "one layer's training": (
        lambda model: model.model.language_model.layers[0].train(),
        lambda model: model.eval(),
    ),
    "attention": (
        lambda model: model.set_attn_implementation("eager"),
        lambda model: model.set_attn_implementation("sdpa"),
    ),
    "experts": (lambda model: set_expert_backend(model, "eager"), lambda model: set_expert_backend(model, "moevlm")),
    "tokens at home elsewhere": (
        lambda model: setattr(model.model.language_model, "batch_part", BatchPart(at_home=0)),
        lambda model: setattr(model.model.language_model, "batch_part", BatchPart()),
    ),
    "dtype": (lambda model: model.double(), lambda model: model.float()),
}


@pytest.mark.parametrize("what", SETTINGS)
def test_settings_that_the_operator_does_not_know_get_the_modules_until_they_are_gone(make, batch, what):
    model, inputs = make(), batch(2)
    expected, _ = both_ways(model, inputs)
    set_it, take_it_back = SETTINGS[what]
    set_it(model)
    assert decode_path(model, 2) == MODULES
    take_it_back(model)
    found, _ = both_ways(model, inputs)
    assert torch.equal(found.logits_BV, expected.logits_BV)


def other_table(model):
    apply_profile(model, RoutingProfile.parse("uniform"))
    both_ways(model, {"input_ids": torch.full((1, 9), 7)})
    apply_profile(model, RoutingProfile.parse("uniform", seed=1))


def moved(weight):
    weight.data = 2 * weight.data


def other_epsilon(layer):
    attention = layer.self_attn
    for norm in (layer.input_layernorm, attention.q_norm, attention.k_norm, layer.post_attention_layernorm):
        norm.variance_epsilon = 0.1


CHANGES = {
    "weights in their place": lambda model: last_layer(model).self_attn.q_proj.weight.data.mul_(0.5),
    "weights elsewhere": lambda model: moved(last_layer(model).mlp.experts.down),
    "another parameter": lambda model: setattr(
        last_layer(model).mlp.gate, "weight", nn.Parameter(last_layer(model).mlp.gate.weight.detach().flip(0))
    ),
    "loaded weights": lambda model: last_layer(model).load_state_dict(
        {name: tensor * 1.1 for name, tensor in last_layer(model).state_dict().items()}, assign=True
    ),
    "another dtype": lambda model: model.bfloat16(),
    "another table of a profile": lambda model: other_table(model),
    "fewer experts a token": lambda model: setattr(last_layer(model).mlp.gate, "top_k", 1),
    "another epsilon": lambda model: other_epsilon(last_layer(model)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changes_in_the_model_changes_in_its_operators(make, batch, what):
    model, inputs = make(), batch(2)
    before, _ = both_ways(model, inputs)
    with torch.no_grad():
        CHANGES[what](model)
    found, expected = both_ways(model, inputs)
    assert_equal(found, expected)
    assert not torch.equal(found.logits_BV.float(), before.logits_BV)


@pytest.mark.parametrize("num_experts", [8, 0])
def test_beyond_what_the_kernels_are_best_at_moe_and_dense_both_call_modules(make, monkeypatch, num_experts):
    monkeypatch.setattr(ops, "tiers", lambda: ("generic",))  # else nothing is beyond in float32
    model = make(num_experts=num_experts)
    assert [decode_path(model, num_samples) for num_samples in (64, 65)] == [FUSED, MODULES]


@pytest.mark.parametrize("config", [{"head_dim": 16}, {"attention_bias": True}, {"hidden_act": "gelu"}])
def test_layers_that_the_operator_does_not_take_call_modules_without_a_word(make, batch, recwarn, config):
    model = make(**config)
    assert decode_path(model, 2) == MODULES
    assert decode_steps(model, prefill(model, batch(2), max_new_tokens=2), num_steps=2).logits_BV.isfinite().all()
    assert [str(one.message) for one in recwarn] == []


def test_epsilons_that_differ_within_a_layer_call_modules_without_a_word(make, recwarn):
    model = make()
    model.model.language_model.layers[0].self_attn.q_norm.variance_epsilon = 0.1
    assert decode_path(model, 2) == MODULES
    assert [str(one.message) for one in recwarn] == []


def test_a_model_is_looked_at_and_checked_once(make, batch, monkeypatch):
    model, looks = make(), []

    def noted(name):
        plain = getattr(fused, name)
        return lambda *given: looks.append(name) or plain(*given)

    for name in ("does_no_more", "flaw"):
        monkeypatch.setattr(fused, name, noted(name))
    for _ in range(3):
        both_ways(model, batch(2))
    assert looks == ["does_no_more", "flaw"]


def test_the_weights_that_operators_read_are_asked_to_lie_in_huge_pages_once(make, batch, monkeypatch):
    model, asked = make(), []
    monkeypatch.setattr(fused, "use_huge_pages", lambda tensors: asked.append(list(tensors)))
    for _ in range(2):
        decode_path(model, 1)
    assert [list(map(id, tensors)) for tensors in asked] == [list(map(id, model.parameters()))]


def test_operators_that_return_something_else_are_not_used_and_that_is_said_once(make, batch, monkeypatch):
    model = make()
    state = prefill(model, batch(2), max_new_tokens=3)
    monkeypatch.setattr(fused, "flaw", lambda *_: "give logits that are 0.5 off where 0.0001 is rounding")
    with pytest.warns(
        UserWarning, match=r"decode steps call this model's modules, as its layers as operators give logits"
    ):
        assert decode_path(model, 2) == MODULES
    with warnings.catch_warnings(action="error"):
        found, expected = (decode_steps(model, state, num_steps=3, by_modules=asked) for asked in (False, True))
    assert torch.equal(found.logits_BV, expected.logits_BV)


def test_operators_keep_no_model_and_no_weights_alive(make):
    model = make()
    assert decode_path(model, 1) == FUSED
    weights = weakref.ref(model.model.language_model.layers[0].mlp.experts.down)
    held, known = weakref.ref(model), len(fused.built_of)
    del model
    gc.collect()
    assert (held(), weights()) == (None, None)
    assert len(fused.built_of) < known


def test_operators_compute_with_the_models_own_tensors(make):
    model = make()
    decode_path(model, 1)
    own = {tensor.data_ptr() for tensor in model.parameters()}
    for layer in fused.built_of[model].layers:
        assert {tensor.data_ptr() for tensor in (*layer.weights, layer.router.weight_EH)} <= own


@pytest.mark.parametrize("num_samples", [2, 9])
def test_a_model_built_for_inference_decodes_by_operators_as_another(make, batch, num_samples):
    model = make()
    with torch.inference_mode():
        built = make()
        built.load_state_dict(model.state_dict())
    found, expected = (
        decode_steps(m, prefill(m, batch(num_samples), max_new_tokens=4), num_steps=4) for m in (built, model)
    )
    assert decode_path(built, num_samples) == FUSED
    assert torch.equal(found.tokens_BN, expected.tokens_BN)
    assert torch.equal(found.logits_BV, expected.logits_BV)


def test_tables_without_a_profile_steer_operators_as_little_as_modules(make, batch):
    model, plain = make(), make()
    plain.load_state_dict(model.state_dict())
    apply_profile(model, RoutingProfile.parse("uniform"))
    model.model.language_model.routing_profile = plain.model.language_model.routing_profile
    found, expected = (decode_steps(m, prefill(m, batch(2), max_new_tokens=4), num_steps=4) for m in (model, plain))
    assert decode_path(model, 2) == FUSED
    assert torch.equal(found.logits_BV, expected.logits_BV)
