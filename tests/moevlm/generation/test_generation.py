"""Prefill and decode steps: against generate(), against unpadded samples, and what they refuse."""

from dataclasses import replace

import pytest
import torch

from moevlm import decode_step, decode_steps, prefill
from moevlm.generation import answer
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.tables import apply_profile

NEW_TOKENS = 40


def generated(model, inputs):
    mask_BS = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
    tokens = model.generate(
        **{**inputs, "attention_mask": mask_BS}, max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None
    )
    return tokens[:, inputs["input_ids"].shape[1] :]


def left_padded(prompts):
    """Stack prompts of unequal length, padded on the left with token 0."""
    longest = max(len(prompt) for prompt in prompts)
    ids_BS, mask_BS = torch.zeros(2, len(prompts), longest, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids_BS[row, longest - len(prompt) :] = prompt
        mask_BS[row, longest - len(prompt) :] = 1
    return {"input_ids": ids_BS, "attention_mask": mask_BS}


@pytest.fixture
def image_batch(make_prompt):
    ids_BS = make_prompt(2, 20, image_tokens=4)
    return {"input_ids": ids_BS, "pixel_values": torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(4))}


@pytest.mark.parametrize("num_experts", [8, 0])
@pytest.mark.parametrize("with_images", [False, True])
def test_greedy_tokens_equal_generates(make_model, image_batch, num_experts, with_images):
    model = make_model(num_experts=num_experts)
    inputs = image_batch if with_images else {"input_ids": image_batch["input_ids"].clamp_min(6)}
    tokens_BN = answer(model, inputs, max_new_tokens=NEW_TOKENS)
    assert torch.equal(tokens_BN, generated(model, inputs))
    assert max(len(sample.unique()) for sample in tokens_BN) >= 16


def test_greedy_tokens_equal_generates_in_a_padded_batch_under_a_routing_profile(make_model, make_prompt):
    model, prompts = make_model(), make_prompt(3, 20)
    apply_profile(model, RoutingProfile.parse("specialized:3"))
    inputs = left_padded([prompts[0], prompts[1, :13], prompts[2, :5]])
    assert torch.equal(answer(model, inputs, max_new_tokens=NEW_TOKENS), generated(model, inputs))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("num_experts", [8, 0])
def test_each_sample_of_a_padded_batch_gets_its_own_logits(make_model, make_prompt, num_experts, attention):
    model, prompts = make_model(num_experts=num_experts), make_prompt(3, 20)
    model.set_attn_implementation(attention)
    samples = [prompts[0], prompts[1, :13], prompts[2, :5]]
    forced_BN = make_prompt(3, 24, seed=9)
    batch = prefill(model, left_padded(samples), max_new_tokens=24)
    alone = [prefill(model, {"input_ids": sample[None]}, max_new_tokens=24) for sample in samples]
    for step in range(25):
        own_logits = torch.cat([state.logits_BV for state in alone])
        torch.testing.assert_close(batch.logits_BV, own_logits, rtol=1e-4, atol=1e-4)
        if step < 24:
            batch = decode_step(model, replace(batch, next_token_B1=forced_BN[:, [step]]))
            alone = [
                decode_step(model, replace(state, next_token_B1=forced_BN[[row]][:, [step]]))
                for row, state in enumerate(alone)
            ]


def test_decode_steps_give_the_same_from_the_same_state(make_model, image_batch):
    model = make_model()
    state = prefill(model, image_batch, max_new_tokens=NEW_TOKENS)
    first = decode_steps(model, state, num_steps=30)
    again = decode_steps(model, state, num_steps=30)
    assert torch.equal(first.tokens_BN, again.tokens_BN)
    assert torch.equal(first.logits_BV, again.logits_BV)


def test_single_steps_equal_several_at_once(make_model, image_batch):
    model = make_model()
    start = prefill(model, image_batch, max_new_tokens=8)
    at_once = decode_steps(model, start, num_steps=5).tokens_BN
    state, tokens = start, []
    for _ in range(5):
        state = decode_step(model, state)
        tokens.append(state.tokens_BN)
    assert torch.equal(torch.cat(tokens, dim=1), at_once)
    assert (state.length, state.tokens_BN.shape) == (25, (2, 1))


def test_an_answer_of_one_token_is_the_prefills_choice(make_model, image_batch):
    model = make_model()
    first_B1 = prefill(model, image_batch, max_new_tokens=1).next_token_B1
    assert torch.equal(answer(model, image_batch, max_new_tokens=1), first_B1)


def test_decode_equals_one_forward_over_the_whole_sequence(make_model, make_prompt):
    model, ids_BS = make_model(), make_prompt(2, 20)
    state = prefill(model, {"input_ids": ids_BS}, max_new_tokens=8)
    final = decode_steps(model, state, num_steps=8)
    fed_BN = torch.cat([ids_BS, state.next_token_B1, final.tokens_BN[:, :-1]], dim=1)
    torch.testing.assert_close(final.logits_BV, model(fed_BN).logits[:, -1], rtol=1e-4, atol=1e-4)


def test_prefill_computes_the_last_tokens_logits_only(make_model, make_prompt):
    model, ids_BS = make_model(), make_prompt(2, 20)
    rows = []
    model.lm_head.register_forward_hook(lambda _m, args, _out: rows.append(args[0].shape))
    state = prefill(model, {"input_ids": ids_BS}, max_new_tokens=4)
    assert rows == [(2, 64)]
    assert state.logits_BV.shape == (2, 256)
    assert state.tokens_BN.shape == (2, 0)


def test_decode_appends_to_the_cache_without_moving_it(make_model, make_prompt):
    model = make_model()
    state = prefill(model, {"input_ids": make_prompt(2, 20)}, max_new_tokens=8)
    before = [layer.keys.data_ptr() for layer in state.cache.layers]
    final = decode_steps(model, state, num_steps=8)
    assert [layer.keys.data_ptr() for layer in final.cache.layers] == before
    assert final.cache.get_seq_length() == final.length == 28


def test_logits_keep_the_models_dtype(make_model, make_prompt):
    model = make_model(dtype=torch.bfloat16)
    state = prefill(model, {"input_ids": make_prompt(1, 20)}, max_new_tokens=4)
    assert decode_step(model, state).logits_BV.dtype == torch.bfloat16


@pytest.mark.parametrize("num_steps", [0, -1, 5])
def test_steps_beyond_the_room_in_the_cache_are_refused(make_model, make_prompt, num_steps):
    model = make_model()
    state = prefill(model, {"input_ids": make_prompt(1, 20)}, max_new_tokens=4)
    with pytest.raises(
        ValueError, match=rf"num_steps must be in \[1, 4\] \(room left in the cache\), got {num_steps}; "
    ):
        decode_steps(model, state, num_steps=num_steps)


def test_a_prompt_beyond_the_models_maximum_is_refused(make_model, make_prompt):
    model = make_model(max_position_embeddings=32)
    with pytest.raises(ValueError, match=r"must not exceed max_position_embeddings=32, got 20 \+ 13; "):
        prefill(model, {"input_ids": make_prompt(1, 20)}, max_new_tokens=13)
    assert prefill(model, {"input_ids": make_prompt(1, 20)}, max_new_tokens=12).max_length == 32


def test_room_for_no_token_is_refused(make_model, make_prompt):
    with pytest.raises(ValueError, match="max_new_tokens must be at least 1, got 0; "):
        prefill(make_model(), {"input_ids": make_prompt(1, 20)}, max_new_tokens=0)


def test_padding_at_the_end_is_refused(make_model, make_prompt):
    mask_BS = torch.ones(2, 20, dtype=torch.long)
    mask_BS[1, -3:] = 0
    with pytest.raises(ValueError, match="attention_mask must pad on the left, got padding at the end; "):
        prefill(make_model(), {"input_ids": make_prompt(2, 20), "attention_mask": mask_BS}, max_new_tokens=4)
