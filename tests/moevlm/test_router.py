"""Router and routing profiles: against Qwen3-MoE's router and against the statistics that the profiles promise."""

import math

import pytest
import torch
from transformers import Qwen3MoeConfig
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeTopKRouter

from moevlm import MoEVLMTextConfig, RoutingProfile, apply_profile
from moevlm.router import NUM_NOISE_ROWS, MoEVLMRouter, bias_rows, bias_table

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


def chosen(router, num_tokens=NUM_NOISE_ROWS, *, vision=False):
    rows_T = bias_rows(torch.arange(num_tokens)[None], torch.full((1, num_tokens), vision))
    return router(hidden(num_tokens), rows_T).ids_TK


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


def test_uniform_profile_gives_every_expert_its_share():
    router = make_router()
    apply_profile(router, RoutingProfile(name="uniform"))
    counts_E = chosen(router).flatten().bincount(minlength=NUM_EXPERTS).double()
    expected = NUM_NOISE_ROWS * TOP_K / NUM_EXPERTS
    chi_square = ((counts_E - expected) ** 2 / expected).sum()
    assert chi_square < 37.7  # 99.9 % quantile at 15 degrees of freedom


@pytest.mark.parametrize("num_tokens", [1, 4, 8, 32])
def test_uniform_profile_hits_the_expected_number_of_distinct_experts(num_tokens):
    router = make_router()
    apply_profile(router, RoutingProfile(name="uniform"))
    groups = chosen(router).split(num_tokens)
    distinct = sum(len(ids_TK.unique()) for ids_TK in groups[: len(groups) - 1]) / (len(groups) - 1)
    expected = NUM_EXPERTS * (1 - (1 - TOP_K / NUM_EXPERTS) ** num_tokens)
    assert distinct == pytest.approx(expected, abs=0.35)


def test_strong_specialization_sends_vision_and_text_to_disjoint_halves():
    router = make_router()
    apply_profile(router, RoutingProfile.parse("specialized:50"))
    text, vision = (set(chosen(router, vision=is_vision).flatten().tolist()) for is_vision in (False, True))
    assert not text & vision
    assert len(text) == len(vision) == NUM_EXPERTS // 2


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_strength_is_the_log_odds_of_a_home_expert(strength):
    profile = RoutingProfile(name="specialized", strength=strength)
    first_choices, homes = [], []
    for layer in range(4):
        table_RE = bias_table(profile, NUM_EXPERTS, layer)
        noise_RE = bias_table(RoutingProfile(name="uniform"), NUM_EXPERTS, layer)
        first_choices.append(table_RE[:NUM_NOISE_ROWS].argmax(1))
        homes.append((table_RE - noise_RE)[0] > strength / 2)
    share = torch.cat([home[first] for home, first in zip(homes, first_choices, strict=True)]).double().mean()
    assert share == pytest.approx(1 / (1 + math.exp(-strength)), abs=0.03)


def test_each_layer_and_seed_has_noise_and_homes_of_its_own():
    first, other_layer, other_seed = (
        bias_table(RoutingProfile.parse("specialized:4", seed=seed), NUM_EXPERTS, layer)
        for seed, layer in [(0, 0), (0, 1), (1, 0)]
    )
    assert torch.equal(first, bias_table(RoutingProfile.parse("specialized:4"), NUM_EXPERTS, 0))
    assert not torch.equal(first, other_layer)
    assert not torch.equal(first, other_seed)


def test_samples_of_one_batch_route_differently_at_the_same_position():
    rows = bias_rows(torch.zeros(32, 1, dtype=torch.long))
    assert len(rows.unique()) == 32


def test_weights_profile_leaves_the_models_logits_bit_identical(make_model, make_prompt):
    model, ids_BS = make_model(), make_prompt(2, 24)
    before = model(ids_BS).logits
    apply_profile(model, RoutingProfile.parse("uniform"))
    assert not torch.equal(model(ids_BS).logits, before)
    apply_profile(model, RoutingProfile.parse("weights"))
    assert torch.equal(model(ids_BS).logits, before)


def test_a_profile_is_no_part_of_the_checkpoint(make_model):
    model = make_model()
    names = set(model.state_dict())
    apply_profile(model, RoutingProfile.parse("uniform"))
    assert set(model.state_dict()) == names


def test_a_profile_leaves_a_dense_model_as_it_is(make_model, make_prompt):
    model, ids_BS = make_model(num_experts=0), make_prompt(2, 24)
    before = model(ids_BS).logits
    apply_profile(model, RoutingProfile.parse("uniform"))
    assert torch.equal(model(ids_BS).logits, before)


def recorded_ids(model, **inputs):
    """Return the expert ids (tokens, K) of every layer, one after another."""
    ids = []
    layers = model.model.language_model.layers
    hooks = [layer.mlp.gate.register_forward_hook(lambda _m, _i, out: ids.append(out.ids_TK)) for layer in layers]
    with torch.no_grad():
        model.model.language_model(**inputs)
    for hook in hooks:
        hook.remove()
    return torch.stack(ids)


def test_routing_is_the_same_in_one_pass_and_token_by_token(make_model, make_prompt):
    model, ids_BS = make_model(), make_prompt(1, 12)
    vision_BS = torch.arange(12)[None] < 5
    apply_profile(model, RoutingProfile.parse("specialized:3"))
    at_once = recorded_ids(model, input_ids=ids_BS, vision_mask_BS=vision_BS)
    cache = None
    for position in range(12):
        step = {"input_ids": ids_BS[:, [position]], "vision_mask_BS": vision_BS[:, [position]]}
        if cache is None:
            cache = model.model.language_model(**step, use_cache=True).past_key_values
            cache.crop(-1)
        one = recorded_ids(model, **step, past_key_values=cache, use_cache=True)
        assert torch.equal(one.sort(-1).values, at_once[:, [position]].sort(-1).values)


def test_whole_model_marks_image_tokens_as_vision(make_model, make_prompt):
    model, ids_BS = make_model(), make_prompt(1, 20, image_tokens=4)
    apply_profile(model, RoutingProfile.parse("specialized:50"))
    ids = []
    model.model.language_model.layers[0].mlp.gate.register_forward_hook(lambda _m, _i, out: ids.append(out.ids_TK))
    model(ids_BS, pixel_values=torch.randn(1, 3, 28, 28))
    vision, text = set(ids[0][2:6].flatten().tolist()), set(ids[0][6:].flatten().tolist())
    assert not vision & text


@pytest.mark.parametrize("text", ["trained", "", "specialised:4", "Uniform"])
def test_unknown_profile_names_the_known_ones(text):
    with pytest.raises(ValueError, match="must be one of weights, uniform, specialized:STRENGTH, got "):
        RoutingProfile.parse(text)


@pytest.mark.parametrize("text", ["specialized", "specialized:0", "specialized:-1", "specialized:nan", "uniform:3"])
def test_strength_that_does_not_fit_is_refused(text):
    with pytest.raises(ValueError, match=r"takes .*strength.*, got .*; write one of weights, uniform, specialized"):
        RoutingProfile.parse(text)


def test_strength_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="routing strength must be a number, got 'strong' in 'specialized:strong'"):
        RoutingProfile.parse("specialized:strong")


def test_id_is_short_and_hash_tells_every_field_apart():
    profiles = [
        RoutingProfile(),
        RoutingProfile(name="uniform"),
        RoutingProfile(name="uniform", seed=1),
        RoutingProfile.parse("specialized:4"),
        RoutingProfile.parse("specialized:2.5"),
    ]
    assert [profile.id for profile in profiles] == ["weights", "uniform", "uniform", "specialized4", "specialized2.5"]
    assert len({profile.hash() for profile in profiles}) == len(profiles)
    assert profiles[3].hash() == RoutingProfile(name="specialized", strength=4.0).hash()
    assert len(profiles[0].hash()) == 16
