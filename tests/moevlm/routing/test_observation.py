"""What a pass with output_routing records: scores through the whole model and through a cache, hard routing."""

import pytest
import torch
from transformers import DynamicCache

from moevlm import decode_steps, prefill
from moevlm.smoes.modality import gaussian_modality_scores
from tests.moevlm.smoes.plain_scores import plain_attention_scores


def plain_scores(model, prompt):
    """Follow the scores with materialised probabilities: eager attention, one sample and one layer at a time."""
    seen = {"added": [], "residual": []}
    handles = []
    for layer in model.model.language_model.layers:
        handles.append(layer.self_attn.register_forward_hook(lambda _m, _a, out: seen["added"].append(out[0])))
        handles.append(layer.register_forward_pre_hook(lambda _m, args: seen["residual"].append(args[0])))
    model.set_attn_implementation("eager")
    probabilities = model(**prompt, output_attentions=True).attentions
    for handle in handles:
        handle.remove()
    model.set_attn_implementation("sdpa")
    is_vision_BS = prompt["input_ids"] == model.config.image_token_id
    layers, scores_BS = [], (~is_vision_BS).float()
    for probs_BHSS, added_BSD, residual_BSD in zip(probabilities, seen["added"], seen["residual"], strict=True):
        scores_BS = torch.stack(
            [
                plain_attention_scores(*sample)
                for sample in zip(scores_BS, probs_BHSS, added_BSD, residual_BSD, strict=True)
            ]
        )
        layers.append(scores_BS)
    return layers


def test_scores_through_fused_attention_equal_the_materialised_formula(make_smoes, prompt):
    model = make_smoes()
    with torch.no_grad():
        found = model(**prompt, output_routing=True).routing
        expected = plain_scores(model, prompt)
    is_token_BS = prompt["attention_mask"].bool()
    assert len(found) == len(expected) == 2
    for routing, expected_BS in zip(found, expected, strict=True):
        torch.testing.assert_close(routing.scores_BS[is_token_BS], expected_BS[is_token_BS], rtol=1e-5, atol=1e-6)
        spread = routing.scores_BS[is_token_BS]
        assert ((spread > 0.01) & (spread < 0.99)).float().mean() > 0.3  # scores have moved off their hard labels


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_carrying_scores_changes_no_logits(make_smoes, prompt, attention):
    model = make_smoes()
    model.set_attn_implementation(attention)
    with torch.no_grad():
        plain, scored = model(**prompt), model(**prompt, output_routing=True)
    torch.testing.assert_close(scored.logits[:, -1], plain.logits[:, -1], rtol=1e-5, atol=1e-5)
    assert plain.routing is None


@pytest.mark.parametrize("name", ["smoes-attention", "smoes-gaussian", "hard-scores"])
def test_cached_decode_gives_the_scores_of_one_long_prefill(make_smoes, prompt, name):
    model = make_smoes(name)
    more_ids = torch.tensor([[17, 18, 19], [27, 28, 29]])
    with torch.no_grad():
        if name == "smoes-gaussian":
            model.train()(**prompt, labels=prompt["input_ids"])
            model.eval()
        mask_BS = torch.cat([prompt["attention_mask"], torch.ones_like(more_ids)], 1)
        position_BS = (mask_BS.cumsum(1) - 1).clamp_min(0)
        whole = model(
            torch.cat([prompt["input_ids"], more_ids], 1), prompt["pixel_values"], attention_mask=mask_BS,
            position_ids=position_BS, output_routing=True,
        )  # fmt: skip
        cache = DynamicCache(config=model.config.text_config)
        start = position_BS[:, :20]
        model(**prompt, position_ids=start, cache=cache, output_routing=True)
        for step in range(3):
            length = 21 + step
            part = model(
                more_ids[:, step : step + 1], attention_mask=mask_BS[:, :length], cache=cache,
                position_ids=position_BS[:, length - 1 : length], output_routing=True,
            )  # fmt: skip
            for one, all_ in zip(part.routing, whole.routing, strict=True):
                torch.testing.assert_close(one.scores_BS[:, 0], all_.scores_BS[:, length - 1], rtol=1e-5, atol=1e-5)
                assert torch.equal(one.ids_BSK[:, 0].sort(-1)[0], all_.ids_BSK[:, length - 1].sort(-1)[0])


def test_a_cache_begun_without_scores_is_refused(make_smoes, prompt):
    model = make_smoes()
    cache = DynamicCache(config=model.config.text_config)
    model(**prompt, cache=cache)
    with pytest.raises(ValueError, match="on or never, got one begun without in a call with them"):
        model(torch.tensor([[9], [9]]), cache=cache, output_routing=True)


def test_a_cache_begun_with_scores_is_refused_without(make_smoes, prompt):
    model = make_smoes()
    state = prefill(model, prompt, max_new_tokens=2, routing_record=[])
    with pytest.raises(ValueError, match="or never, got one begun with in a call without them; record routing for"):
        decode_steps(model, state, num_steps=2)
    record = []
    decode_steps(model, prefill(model, prompt, max_new_tokens=2, routing_record=[]), num_steps=2, routing_record=record)
    assert len(record) == 2 * 2


def test_gaussian_scores_are_those_of_the_experts_input(make_smoes, prompt):
    model, inputs = make_smoes("smoes-gaussian"), []
    mlp = model.model.language_model.layers[1].mlp
    with torch.no_grad():
        model.train()(**prompt, labels=prompt["input_ids"])
        model.eval()
        mlp.gate.register_forward_hook(lambda _module, arguments, _output: inputs.append(arguments[0]))
        found_BS = model(**prompt, output_routing=True).routing[1].scores_BS
    modality = mlp.modality
    expected_TM = gaussian_modality_scores(inputs[0], modality.mean_MD, modality.var_MD, 0.5 * 64)
    torch.testing.assert_close(found_BS.flatten(), expected_TM[:, 0])


def test_hard_routing_keeps_text_and_images_on_experts_of_their_own(make_smoes, prompt):
    model = make_smoes("hard-routing")
    is_vision_BS = prompt["input_ids"] == model.config.image_token_id
    for routing in model(**prompt, output_routing=True).routing:
        assert (routing.ids_BSK[is_vision_BS] >= 4).all()
        assert (routing.ids_BSK[~is_vision_BS] < 4).all()


def test_hard_routing_holds_in_generate_where_new_tokens_are_text(make_smoes, prompt):
    model, ids = make_smoes("hard-routing"), []
    router = model.model.language_model.layers[0].mlp.gate
    router.register_forward_hook(lambda _module, _arguments, routing: ids.append(routing.ids_TK))
    model.generate(**prompt, max_new_tokens=3, do_sample=False)
    assert (ids[0] >= 4).any()
    assert (torch.cat(ids[1:]) < 4).all()


def test_a_dense_model_has_no_routing_to_record(make_model, make_prompt):
    with pytest.raises(ValueError, match="recording routing needs an MoE, got a dense model"):
        make_model(num_experts=0)(make_prompt(1, 4), output_routing=True)


def test_a_mask_of_four_dimensions_is_refused_where_routing_is_recorded(make_smoes, make_prompt):
    ids_BS = make_prompt(1, 4)
    mask = torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match=r"needs attention_mask of shape \(batch, length\), got \(1, 1, 4, 4\)"):
        make_smoes()(ids_BS, attention_mask=mask, output_routing=True)


def test_embeddings_need_to_say_which_tokens_are_images(make_smoes, prompt):
    model = make_smoes("hard-routing")
    embeds = {}
    model.model.language_model.register_forward_pre_hook(
        lambda _module, _arguments, kwargs: embeds.update(kwargs), with_kwargs=True
    )
    expected = model(**prompt, output_routing=True)
    given = {"inputs_embeds": embeds["inputs_embeds"], "attention_mask": prompt["attention_mask"]}
    with pytest.raises(ValueError, match="got inputs_embeds without vision_mask_BS; pass it"):
        model(**given)
    is_vision_BS = prompt["input_ids"] == model.config.image_token_id
    found = model(**given, vision_mask_BS=is_vision_BS, output_routing=True)
    torch.testing.assert_close(found.logits, expected.logits)
    assert torch.equal(found.routing[0].ids_BSK, expected.routing[0].ids_BSK)
