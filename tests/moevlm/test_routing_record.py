"""What a pass with output_routing shows: scores through the whole model, losses, bins, hard routing."""

import pytest
import torch
from transformers import AutoModelForImageTextToText, DynamicCache

from moevlm import MoEVLM, decode_steps, prefill
from moevlm.ablations import SPECIALIZATIONS, specialization_fields, specialized
from moevlm.losses import inter_bin_mutual_information, intra_bin_load_balance, modality_load
from moevlm.modality import as_modalities, attention_modality_scores, gaussian_modality_scores

IMAGE_TOKENS = 4


@pytest.fixture
def make_smoes(make_model):
    """Build a small model of a variant, four bins of its eight experts."""

    def make(name="smoes-attention", **more):
        fields = specialization_fields(name, 8)
        bins = {"num_bins": 4} if "num_bins" in fields else {}
        return make_model(**{**fields, **bins, **more})

    return make


@pytest.fixture
def prompt(make_prompt):
    """Two samples of unequal length with an image each, padded on the left."""
    ids_BS = make_prompt(2, 20, image_tokens=IMAGE_TOKENS)
    ids_BS[1, 2 : 2 + IMAGE_TOKENS] = 7
    ids_BS[1, 9 : 9 + IMAGE_TOKENS] = ids_BS[0, 2]
    mask_BS = torch.ones_like(ids_BS)
    mask_BS[1, :5] = 0
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(3))
    return {"input_ids": ids_BS, "attention_mask": mask_BS, "pixel_values": pixels}


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
                attention_modality_scores(*sample)
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
        model(**prompt, position_ids=start, past_key_values=cache, output_routing=True)
        for step in range(3):
            length = 21 + step
            part = model(
                more_ids[:, step : step + 1], attention_mask=mask_BS[:, :length], past_key_values=cache,
                position_ids=position_BS[:, length - 1 : length], output_routing=True,
            )  # fmt: skip
            for one, all_ in zip(part.routing, whole.routing, strict=True):
                torch.testing.assert_close(one.scores_BS[:, 0], all_.scores_BS[:, length - 1], rtol=1e-5, atol=1e-5)
                assert torch.equal(one.ids_BSK[:, 0].sort(-1)[0], all_.ids_BSK[:, length - 1].sort(-1)[0])


def test_a_cache_begun_without_scores_is_refused(make_smoes, prompt):
    model = make_smoes()
    cache = DynamicCache(config=model.config.text_config)
    model(**prompt, past_key_values=cache)
    with pytest.raises(ValueError, match="on or never, got one begun without in a call with them"):
        model(torch.tensor([[9], [9]]), past_key_values=cache, output_routing=True)


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


def test_losses_are_the_formulas_over_what_was_recorded(make_smoes, prompt):
    model = make_smoes(specialization_loss_coef=0.5, load_balance_coef=0.25).train()
    output = model(**prompt, labels=prompt["input_ids"])
    mask_BS, mutual_information, balance = prompt["attention_mask"].bool(), 0.0, 0.0
    for routing, layer in zip(output.routing, model.model.language_model.layers, strict=True):
        gates_BSE, bins = routing.logits_BSE.softmax(-1), layer.mlp.bins.bin_of_expert_E
        scores_BSM = as_modalities(routing.scores_BS)
        mutual_information += inter_bin_mutual_information(scores_BSM, gates_BSE, bins, mask_BS).mean()
        balance += intra_bin_load_balance(gates_BSE[mask_BS], routing.ids_BSK[mask_BS], bins)
    torch.testing.assert_close(output.routing_losses.specialization, -mutual_information)
    torch.testing.assert_close(output.routing_losses.load_balance, balance)
    expected = output.task_loss - 0.5 * mutual_information + 0.25 * balance
    torch.testing.assert_close(output.loss, expected)
    assert not any(routing.scores_BS.requires_grad for routing in output.routing)


def test_plain_moe_trains_with_the_load_balance_of_qwen3_moe(make_model, make_prompt):
    from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func

    model, ids_BS = make_model().train(), make_prompt(2, 12)
    output = model(ids_BS, labels=ids_BS)
    logits = tuple(routing.logits_BSE.flatten(0, 1) for routing in output.routing)
    each_layer = sum(load_balancing_loss_func((layer,), num_experts=8, top_k=2) for layer in logits)
    torch.testing.assert_close(output.routing_losses.load_balance, each_layer)
    assert output.routing_losses.specialization == 0


def test_only_training_moves_the_state_and_each_step_once(make_smoes, prompt):
    model = make_smoes("smoes-attention", specialization_momentum=0.5)
    bins = model.model.language_model.layers[0].mlp.bins
    model(**prompt, labels=prompt["input_ids"], output_routing=True)
    assert bins.load_ME.sum() == 0
    model.train()
    model.gradient_checkpointing_enable()
    output = model(**prompt, labels=prompt["input_ids"])
    output.loss.backward()  # computes each layer a second time
    routing, mask_T = output.routing[0], prompt["attention_mask"].bool().flatten()
    scores_TM = as_modalities(routing.scores_BS).flatten(0, 1)
    load_ME = modality_load(scores_TM, routing.ids_BSK.flatten(0, 1), 8, mask_T)
    torch.testing.assert_close(bins.load_ME, 0.5 * load_ME)


@pytest.mark.parametrize("name", SPECIALIZATIONS)
def test_every_variant_trains_and_survives_a_round_trip(make_smoes, prompt, tmp_path, name):
    model = make_smoes(name).train()
    loss = model(**prompt, labels=prompt["input_ids"]).loss
    loss.backward()
    gate = model.model.language_model.layers[0].mlp.gate.weight
    assert loss.isfinite()
    assert gate.grad.isfinite().all()
    assert gate.grad.abs().sum() > 0
    model.eval().save_pretrained(tmp_path)
    reloaded = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert set(reloaded.state_dict()) == set(model.state_dict())
    for tensor, same in zip(reloaded.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(tensor, same)
    found, expected = (m(**prompt, output_routing=True) for m in (reloaded, model))
    torch.testing.assert_close(found.logits, expected.logits)
    torch.testing.assert_close(found.routing[1].scores_BS, expected.routing[1].scores_BS)


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


def test_a_dense_model_trains_on_the_task_alone(make_model, make_prompt):
    ids_BS = make_prompt(2, 8)
    output = make_model(num_experts=0).train()(ids_BS, labels=ids_BS)
    assert output.loss is output.task_loss
    assert output.routing_losses is None


def test_a_mask_of_four_dimensions_is_refused_where_routing_is_recorded(make_smoes, make_prompt):
    ids_BS = make_prompt(1, 4)
    mask = torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match=r"needs attention_mask of shape \(batch, length\), got \(1, 1, 4, 4\)"):
        make_smoes()(ids_BS, attention_mask=mask, output_routing=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_bins": 3}, r"num_bins must divide num_experts=8, got 3"),
        ({"specialization_loss": "kl"}, "num_bins must be at least 2 for specialization_loss='kl', .* got 1"),
        ({"num_bins": 4, "binning": "none"}, "num_bins must be 1 where binning is none"),
        ({"load_balance_coef": -1.0}, "load_balance_coef must be at least 0, got -1.0"),
        ({"num_experts": 0, "modality_scores": "soft"}, "modality_scores must be one of"),
        ({"modality_scores": "soft"}, "modality_scores must be one of hard, attention, gaussian, got 'soft'"),
        ({"num_text_experts": 7}, "num_text_experts must leave num_experts_per_tok=2 experts to each modality"),
        ({"specialization_momentum": 1.0}, r"specialization_momentum must be in \[0, 1\), got 1.0"),
        ({"modality_temperature": 0.0}, "modality_temperature must be above 0"),
    ],
)
def test_fields_that_do_not_fit_are_refused(make_config, fields, message):
    with pytest.raises(ValueError, match=message):
        make_config(**fields)


@pytest.mark.parametrize("before", SPECIALIZATIONS)
@pytest.mark.parametrize("after", SPECIALIZATIONS)
def test_a_variant_of_a_variant_is_that_variant(make_config, before, after):
    plain = make_config(num_experts=16, num_experts_per_tok=2).text_config
    assert specialized(specialized(plain, before), after).to_dict() == specialized(plain, after).to_dict()


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


@pytest.mark.parametrize("name", ["smoes-attention", "smoes-gaussian"])
def test_a_sample_of_one_modality_adds_nothing_to_the_specialization_loss(make_smoes, prompt, make_prompt, name):
    model = make_smoes(name).train()
    model(**prompt, labels=prompt["input_ids"])  # both modalities are known now
    text = make_prompt(1, 12)
    assert model(text, labels=text).routing_losses.specialization == 0
    mixed = model(**prompt, labels=prompt["input_ids"]).routing_losses.specialization
    assert mixed < 0


def test_only_a_training_model_adds_routing_losses_to_its_loss(make_smoes, prompt):
    model = make_smoes(load_balance_coef=1.0)
    output = model(**prompt, labels=prompt["input_ids"], output_routing=True)
    assert output.loss is output.task_loss
    assert output.routing_losses.load_balance > 0
    record = []
    output = model.train()(**prompt, labels=prompt["input_ids"], routing_record=record)
    assert output.loss > output.task_loss
    assert len(record) == 2


@pytest.mark.parametrize("name", ["plain", "smoes-attention"])
def test_checkpointing_changes_no_gradient_of_task_and_routing_losses(make_smoes, prompt, name):
    gradients = []
    for is_checkpointed in (False, True):
        model = make_smoes(name, specialization_loss_coef=0.5, load_balance_coef=0.5).train()
        if is_checkpointed:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        model(**prompt, labels=prompt["input_ids"]).loss.backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name_, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name_], gradient)


def test_reentrant_checkpointing_is_refused(make_smoes, prompt):
    model = make_smoes().train()
    model.gradient_checkpointing_enable({"use_reentrant": True})
    with pytest.raises(ValueError, match="gradient checkpointing must be non-reentrant"):
        model(**prompt, labels=prompt["input_ids"])


def test_an_unknown_variant_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"specialization must be one of plain, smoes-attention.*got 'soft'"):
        specialization_fields("soft", 8)


def test_state_is_float32_and_absent_from_a_plain_model(make_model, make_smoes):
    assert not any("bins" in name or "modality" in name for name in make_model().state_dict())
    with torch.device("cpu"):
        torch.set_default_dtype(torch.bfloat16)
        try:
            state = make_smoes("smoes-gaussian").state_dict()
        finally:
            torch.set_default_dtype(torch.float32)
    dtypes = {
        name.rpartition(".")[2]: tensor.dtype for name, tensor in state.items() if "bins" in name or "modality" in name
    }
    assert dtypes == {
        "mean_MD": torch.float32,
        "var_MD": torch.float32,
        "is_seen_M": torch.bool,
        "load_ME": torch.float32,
        "bin_of_expert_E": torch.int64,
    }
    assert isinstance(make_smoes(), MoEVLM)


def test_a_plain_checkpoint_gives_a_smoes_model_with_fresh_state(make_model, make_config, tmp_path):
    plain = make_model()
    plain.save_pretrained(tmp_path)
    config = make_config(**{**specialization_fields("smoes-gaussian", 8), "num_bins": 4})
    model = MoEVLM.from_pretrained(tmp_path, config=config)
    for layer in model.model.language_model.layers:
        assert layer.mlp.bins.bin_of_expert_E.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
        assert layer.mlp.bins.load_ME.abs().sum() == 0
        assert layer.mlp.modality.var_MD.eq(1).all()
        assert not layer.mlp.modality.is_seen_M.any()
