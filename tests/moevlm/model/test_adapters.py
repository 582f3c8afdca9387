"""LoRA by peft: what it may adapt, trained, decoded, saved and merged; what it may not is refused by its name."""

import pytest
import torch

from moevlm import decode_steps, prefill
from moevlm.kernels.projections import side_by_side

peft = pytest.importorskip("peft")
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft reads it

NEW_TOKENS = 12
DECODER = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj)"
EXPERTS = ["experts.gate_up_proj", "experts.down"]
PLACES = {
    "projections": {"target_modules": DECODER},
    "one of the three": {"target_modules": r".*language_model.*\.q_proj"},
    "the head": {"target_modules": ["lm_head"]},
    "embeddings": {"target_modules": ["embed_tokens"]},
    "the router": {"target_parameters": ["gate.weight"]},
    "experts": {"target_parameters": EXPERTS},
    "projections and experts": {"target_modules": DECODER, "target_parameters": EXPERTS},
    "magnitudes too": {"target_modules": DECODER, "use_dora": True},
    "norms as they are": {"target_modules": DECODER, "modules_to_save": ["q_norm", "k_norm"]},
    "a dense block": {"target_parameters": ["mlp.gate_up_proj", "mlp.down"]},
}


@pytest.fixture(params=PLACES)
def base(request, make_model):
    """Build a model that kernels decode, and where to adapt it; nothing else of it takes gradients."""
    num_experts = 0 if request.param == "a dense block" else 8
    return make_model(head_dim=64, num_experts=num_experts).requires_grad_(False), PLACES[request.param]


def adapted(model, place):
    return peft.get_peft_model(model, peft.LoraConfig(r=2, **place)).eval()


def changed(model):
    """Give every adapter weights that matter."""
    generator = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


def decoded(model, inputs):
    state = prefill(model, inputs, max_new_tokens=NEW_TOKENS)
    return torch.cat([state.next_token_B1, decode_steps(model, state, num_steps=NEW_TOKENS - 1).tokens_BN], dim=1)


def generated(model, inputs):
    tokens = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None)
    return tokens[:, -NEW_TOKENS:]


@torch.no_grad()
def logits(model, inputs):
    return model(**inputs).logits


def test_a_fresh_adapter_changes_nothing_and_its_weights_get_gradients(base, prompt):
    model, place = base
    expected = logits(model, prompt)
    wrapped = adapted(model, place)
    torch.testing.assert_close(logits(wrapped, prompt), expected, rtol=1e-5, atol=1e-5)
    changed(wrapped).train()(**prompt, labels=prompt["input_ids"]).loss.backward()
    trained = {name: parameter.grad for name, parameter in wrapped.named_parameters() if parameter.requires_grad}
    assert trained
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in trained.values())


def test_prefill_and_decode_steps_run_what_generate_and_a_whole_forward_run(base, prompt):
    model, place = base
    before = decoded(model, prompt)  # lays projections side by side
    wrapped = changed(adapted(model, place))
    found = decoded(wrapped.base_model.model, prompt)
    assert not torch.equal(found, before)
    assert torch.equal(found, generated(wrapped, prompt))
    ids_BS = torch.cat([prompt["input_ids"], found[:, :-1]], dim=1)
    mask_BS = torch.cat([prompt["attention_mask"], torch.ones_like(found[:, :-1])], dim=1)
    whole = logits(wrapped, {**prompt, "input_ids": ids_BS, "attention_mask": mask_BS})[:, -NEW_TOKENS:]
    assert torch.equal(whole.argmax(-1), found)


def test_a_saved_adapter_reloads_and_a_merged_one_computes_the_same(base, make_model, prompt, tmp_path):
    model, place = base
    names = set(model.state_dict())
    wrapped = changed(adapted(model, place))
    expected, tokens_BN = logits(wrapped, prompt), generated(wrapped, prompt)
    wrapped.save_pretrained(tmp_path)
    fresh = make_model(head_dim=64, num_experts=model.config.text_config.num_experts)
    reloaded = peft.PeftModel.from_pretrained(fresh, tmp_path).eval()
    torch.testing.assert_close(logits(reloaded, prompt), expected, rtol=1e-5, atol=1e-5)
    merged = wrapped.merge_and_unload()
    assert set(merged.state_dict()) == names
    torch.testing.assert_close(logits(merged, prompt), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(decoded(merged, prompt), tokens_BN)
    assert side_by_side(merged.model.language_model.layers[0].self_attn.projections) is not None


@pytest.mark.parametrize("name", ["gate", "experts"])
def test_router_and_experts_as_whole_modules_are_refused_by_name(make_model, name):
    with pytest.raises(ValueError, match=r"(?s)Target module MoEVLM(Router|Experts)\(.*\) is not supported"):
        adapted(make_model(), {"target_modules": [name]})
