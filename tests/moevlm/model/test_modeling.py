"""The model against transformers' own: Qwen3-MoE, Qwen3, LLaVA and LLaVA-NeXT with the same weights."""

import pytest
import torch
from transformers import AutoModel, AutoModelForImageTextToText, Qwen3ForCausalLM, Qwen3MoeForCausalLM

from moevlm import MoEVLM, MoEVLMModel, MoEVLMTextModel
from tests.moevlm.model.transformers_twin import qwen_config, renamed_weights, text_only, twin_of

PINPOINTS = [[28, 56], [56, 28], [56, 56]]
NEW_TOKENS = 40


def greedy(model, ids_BS, **inputs):
    mask_BS = torch.ones_like(ids_BS)
    return model.generate(
        ids_BS, attention_mask=mask_BS, max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None, **inputs
    )[:, ids_BS.shape[1] :]


@pytest.mark.parametrize("norm_topk_prob", [True, False])
def test_moe_equals_qwen3_moe_with_the_same_weights(make_model, make_prompt, norm_topk_prob):
    ours, ids_BS = make_model(norm_topk_prob=norm_topk_prob), make_prompt(2, 24)
    theirs = Qwen3MoeForCausalLM(qwen_config(ours.config.text_config)).eval()
    theirs.load_state_dict(text_only(renamed_weights(ours)))
    torch.testing.assert_close(ours(ids_BS).logits, theirs(ids_BS).logits, rtol=1e-5, atol=1e-5)
    tokens_BN = greedy(ours, ids_BS)
    assert torch.equal(tokens_BN, greedy(theirs, ids_BS))
    assert max(len(sample.unique()) for sample in tokens_BN) >= 16


@pytest.mark.parametrize("block", [None, 32])
def test_dense_equals_qwen3_with_the_rows_rearranged(make_model, make_prompt, block):
    ours, ids_BS = make_model(num_experts=0, ffn_block_size=block), make_prompt(2, 24)
    theirs = Qwen3ForCausalLM(qwen_config(ours.config.text_config)).eval()
    theirs.load_state_dict(text_only(renamed_weights(ours)))
    torch.testing.assert_close(ours(ids_BS).logits, theirs(ids_BS).logits, rtol=1e-5, atol=1e-5)
    assert torch.equal(greedy(ours, ids_BS), greedy(theirs, ids_BS))


def test_fixed_scheme_equals_llava_with_several_images_a_sample(make_model, make_prompt):
    ours, ids_BS = make_model(), make_prompt(2, 24, image_tokens=4)
    ids_BS[1, 10:14] = ours.config.image_token_id
    theirs = twin_of(ours)
    images = {"pixel_values": torch.randn(3, 3, 28, 28)}
    torch.testing.assert_close(ours(ids_BS, **images).logits, theirs(ids_BS, **images).logits, rtol=1e-5, atol=1e-5)
    assert torch.equal(greedy(ours, ids_BS, **images), greedy(theirs, ids_BS, **images))


def test_anyres_scheme_equals_llava_next(make_model, make_prompt):
    ours = make_model(pinpoints=PINPOINTS)
    theirs = twin_of(ours)
    images = {"pixel_values": torch.randn(2, 5, 3, 28, 28), "image_sizes": torch.tensor([[50, 20], [40, 56]])}
    packed = [model.model.get_image_features(**images).pooler_output for model in (ours, theirs)]
    lengths = [len(features) for features in packed[0]]
    assert len(set(lengths)) == 2
    for ours_features, theirs_features in zip(*packed, strict=True):
        torch.testing.assert_close(ours_features, theirs_features)
    ids_BS = make_prompt(1, 80, image_tokens=lengths[0])
    ids_BS[0, -lengths[1] - 3 : -3] = ours.config.image_token_id
    torch.testing.assert_close(ours(ids_BS, **images).logits, theirs(ids_BS, **images).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("image_tokens", [3, 5])
def test_a_prompt_with_more_or_fewer_image_tokens_than_features_is_refused(make_model, make_prompt, image_tokens):
    with pytest.raises(ValueError, match=rf"one image token \(id 5\) .*, got {image_tokens} tokens and 4 features; "):
        make_model()(make_prompt(1, 24, image_tokens), pixel_values=torch.randn(1, 3, 28, 28))


def test_image_sizes_are_refused_by_the_fixed_scheme(make_model, make_prompt):
    with pytest.raises(ValueError, match="image_sizes must be None in the fixed scheme"):
        make_model()(
            make_prompt(1, 24, 4), pixel_values=torch.randn(1, 3, 28, 28), image_sizes=torch.tensor([[28, 28]])
        )


def test_tiled_images_need_their_sizes(make_model, make_prompt):
    with pytest.raises(ValueError, match=r"without image_sizes, got \(1, 5, 3, 28, 28\); pass image_sizes"):
        make_model(pinpoints=PINPOINTS)(make_prompt(1, 24, 4), pixel_values=torch.randn(1, 5, 3, 28, 28))


@pytest.mark.parametrize("inputs", [{}, {"input_ids": torch.ones(1, 2).long(), "inputs_embeds": torch.ones(1, 2, 64)}])
def test_decoder_takes_tokens_or_embeddings(make_model, inputs):
    with pytest.raises(ValueError, match="give one of input_ids and inputs_embeds"):
        make_model().model.language_model(**inputs)


def test_auto_classes_build_the_model(make_config):
    config = make_config()
    assert type(AutoModelForImageTextToText.from_config(config)) is MoEVLM
    assert type(AutoModel.from_config(config)) is MoEVLMModel
    assert type(AutoModel.from_config(config.text_config)) is MoEVLMTextModel


def test_backends_can_be_chosen_when_the_model_is_built(make_config):
    model = AutoModelForImageTextToText.from_config(
        make_config(), experts_implementation="eager", attn_implementation="eager"
    )
    text_config = model.model.language_model.config
    assert (text_config._experts_implementation, text_config._attn_implementation) == ("eager", "eager")


@pytest.mark.parametrize("num_experts", [0, 8])
@pytest.mark.parametrize("tie", [False, True])
def test_a_saved_model_reloads_with_the_same_weights_and_answers(make_model, make_prompt, tmp_path, num_experts, tie):
    model, ids_BS = make_model(num_experts=num_experts, tie_word_embeddings=tie), make_prompt(1, 12)
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    reloaded = AutoModelForImageTextToText.from_pretrained(tmp_path).eval()
    for name, tensor in model.state_dict().items():
        assert torch.equal(reloaded.state_dict()[name], tensor), name
    # not bit for bit: products sum in another order where mapped tensors lie at other addresses modulo a cache line
    torch.testing.assert_close(reloaded(ids_BS).logits, model(ids_BS).logits, rtol=1e-5, atol=1e-5)
    assert (reloaded.lm_head.weight is reloaded.get_input_embeddings().weight) == tie


def test_a_model_reloads_in_another_dtype(make_model, tmp_path):
    make_model().save_pretrained(tmp_path)
    reloaded = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in reloaded.parameters()} == {torch.bfloat16}


def test_attention_backends_agree(make_model, make_prompt):
    model, ids_BS = make_model(), make_prompt(2, 24, image_tokens=4)
    inputs = {"pixel_values": torch.randn(2, 3, 28, 28), "attention_mask": torch.ones_like(ids_BS)}
    inputs["attention_mask"][0, :2] = 0
    logits = []
    for backend in ("sdpa", "eager"):
        model.set_attn_implementation(backend)
        assert model.model.language_model.config._attn_implementation == backend
        logits.append(model(ids_BS, **inputs).logits[inputs["attention_mask"].bool()])
    torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", ["eager", "grouped_mm"])
def test_loss_is_the_next_tokens_cross_entropy_and_reaches_router_and_experts(make_model, make_prompt, backend):
    model, ids_BS = make_model(), make_prompt(2, 12)
    model.set_experts_implementation(backend)
    output = model(ids_BS, labels=ids_BS)
    expected = torch.nn.functional.cross_entropy(output.logits[:, :-1].flatten(0, 1), ids_BS[:, 1:].flatten())
    torch.testing.assert_close(output.loss, expected)
    output.loss.backward()
    for layer in model.model.language_model.layers:
        for parameter in (layer.mlp.gate.weight, layer.mlp.experts.gate_up_proj, layer.mlp.experts.down):
            assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize(("num_experts", "name"), [(8, "mlp.gate.weight"), (0, "mlp.down")])
def test_gradient_checkpointing_changes_no_gradient(make_model, make_prompt, checkpoint, num_experts, name):
    model, ids_BS, calls = make_model(num_experts=num_experts).train(), make_prompt(2, 12), []
    layer = model.model.language_model.layers[0]
    layer.self_attn.register_forward_hook(lambda *_: calls.append(None))
    weight = layer.get_parameter(name)
    expected = torch.autograd.grad(model(ids_BS, labels=ids_BS).loss, weight)[0]
    checkpoint(model)
    torch.testing.assert_close(torch.autograd.grad(model(ids_BS, labels=ids_BS).loss, weight)[0], expected)
    assert len(calls) == 3  # once without, then forward and again in the backward pass


def test_reentrant_checkpointing_of_a_dense_model_is_refused(make_model, make_prompt, checkpoint):
    model, ids_BS = make_model(num_experts=0).train(), make_prompt(2, 12)
    checkpoint(model, use_reentrant=True)
    with pytest.raises(ValueError, match="gradient checkpointing must be non-reentrant"):
        model(ids_BS, labels=ids_BS)


def test_router_logits_of_every_layer_can_be_recorded(make_model, make_prompt):
    output = make_model().model.language_model(make_prompt(2, 12), output_router_logits=True)
    assert [tuple(logits.shape) for logits in output.router_logits] == [(24, 8), (24, 8)]
