"""float16 and autocast on a CPU, where kernels know neither: every path runs, finite and near the float32 model."""

import copy

import pytest
import torch

from moevlm.generation import answer

NEW_TOKENS = 12
EVERY_EXPERT = {"num_experts_per_tok": 8}  # or rounding sends a token elsewhere
KINDS = {
    "moe": EVERY_EXPERT,
    "dense": {"num_experts": 0},
    "odd widths": {**EVERY_EXPERT, "hidden_size": 36, "moe_intermediate_size": 20},
}
BOUNDS = {torch.float16: 4e-3, torch.bfloat16: 4e-2}


def relative_error(actual, expected):
    return (actual.float() - expected).norm() / expected.norm()


@pytest.fixture(params=KINDS)
def model(make_model, request):
    return make_model(**KINDS[request.param], initializer_range=0.1)


def test_logits_and_gradients_are_near_float32s(model, prompt):
    half, is_token = copy.deepcopy(model).half(), prompt["attention_mask"].bool()
    inputs = {**prompt, "pixel_values": prompt["pixel_values"].half()}
    expected = model(**prompt, labels=prompt["input_ids"])
    found = half(**inputs, labels=prompt["input_ids"])
    with torch.no_grad():
        without_gradient = half(**inputs).logits
    for logits in (found.logits, without_gradient):
        assert logits.dtype == torch.float16
        assert relative_error(logits[is_token], expected.logits[is_token]) < BOUNDS[torch.float16]
    expected.loss.backward()
    found.loss.backward()
    gradients = [each.model.language_model.layers[0].mlp.get_parameter(name).grad for each in (half, model)
                 for name in ("experts.down" if each.config.text_config.num_experts else "down",)]  # fmt: skip
    assert relative_error(*gradients) < 10 * BOUNDS[torch.float16]


def test_decoded_tokens_are_generates_and_float32s(model, prompt):
    expected, half = answer(model, prompt, max_new_tokens=NEW_TOKENS), copy.deepcopy(model).half()
    inputs = {**prompt, "pixel_values": prompt["pixel_values"].half()}
    tokens_BN = answer(half, inputs, max_new_tokens=NEW_TOKENS)
    options = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "eos_token_id": None}
    assert torch.equal(tokens_BN, half.generate(**inputs, **options)[:, -NEW_TOKENS:])
    assert torch.equal(tokens_BN, expected)


@pytest.mark.parametrize("dtype", BOUNDS)
def test_autocast_trains_float32_weights(model, prompt, dtype):
    is_token = prompt["attention_mask"].bool()
    expected = model(**prompt).logits
    for with_gradient in (False, True):
        with torch.autocast("cpu", dtype=dtype), torch.set_grad_enabled(with_gradient):
            output = model(**prompt, labels=prompt["input_ids"])
        assert relative_error(output.logits[is_token], expected[is_token]) < BOUNDS[dtype]
    output.loss.backward()
    assert model.lm_head.weight.grad.dtype == torch.float32
