"""generate() in its modes, token for token what transformers' own model with the same weights gives."""

import pytest
import torch
from transformers import CompileConfig, DynamicCache, set_seed

from moevlm import MoEVLM
from moevlm.compat import CACHE
from tests.moevlm.model.transformers_twin import twin_of

NEW_TOKENS = 16
MODES = {
    "greedy": {},
    "sampling": {"do_sample": True, "temperature": 0.9, "top_k": 20},
    "nucleus sampling": {"do_sample": True, "top_p": 0.8},
    "penalties": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
    "guidance": {"guidance_scale": 1.5},
    "without a cache": {"use_cache": False},
    "static cache": {"cache_implementation": "static"},
    "static cache, beams": {"cache_implementation": "static", "num_beams": 2},
    "prompt in chunks": {"prefill_chunk_size": 8},
}
ALONE_MODES = {  # of one sample only, says transformers
    "prompt lookup": {"prompt_lookup_num_tokens": 3},
    "assisted": {"assisted": True},
    "assisted sampling": {"assisted": True, "do_sample": True},
}


@pytest.fixture
def batch(make_prompt):
    """Return two samples with an image each, the second padded on the left."""
    ids_BS = make_prompt(2, 24, image_tokens=4)
    ids_BS[1, 5:] = ids_BS[1, :-5].clone()
    ids_BS[1, :5] = 0
    mask_BS = torch.ones_like(ids_BS)
    mask_BS[1, :5] = 0
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids_BS, "attention_mask": mask_BS, "pixel_values": pixels}


def generated(model, inputs, **mode):
    set_seed(3)
    options = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0, "suppress_tokens": [5], **mode}
    return model.generate(**inputs, max_new_tokens=NEW_TOKENS, **options)[:, inputs["input_ids"].shape[1] :]


def assistant_of(model):
    """Build a smaller model of the same vocabulary."""
    config = type(model.config).from_dict(model.config.to_dict())
    config.text_config.num_hidden_layers = 1
    torch.manual_seed(4)
    return MoEVLM(config).eval()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("num_experts", [8, 0])
def test_tokens_of_a_padded_batch_with_images_are_llavas(make_model, batch, mode, num_experts):
    model = make_model(num_experts=num_experts, head_dim=64)
    found = generated(model, batch, **MODES[mode])
    assert torch.equal(found, generated(twin_of(model), batch, **MODES[mode]))
    assert max(len(sample.unique()) for sample in found) >= 6


@pytest.mark.parametrize("mode", ALONE_MODES)
@pytest.mark.parametrize(("num_experts", "with_images"), [(8, True), (0, False)])
def test_tokens_of_one_sample_are_llavas(make_model, batch, mode, num_experts, with_images):
    model = make_model(num_experts=num_experts, head_dim=64)
    inputs = {name: tensor[:1] for name, tensor in batch.items()}
    if not with_images:
        inputs = {"input_ids": inputs["input_ids"].clamp_min(6), "attention_mask": inputs["attention_mask"]}
    options, drafted = dict(ALONE_MODES[mode]), []
    pairs = [(model, assistant_of(model)), (twin_of(model), twin_of(assistant_of(model)))]
    is_assisted = options.pop("assisted", False)
    pairs[0][1].register_forward_hook(lambda *_: drafted.append(None))
    found, expected = (
        generated(each, inputs, **options, **({"assistant_model": assistant} if is_assisted else {}))
        for each, assistant in pairs
    )
    assert torch.equal(found, expected)
    assert bool(drafted) == is_assisted


def test_tokens_of_tiled_images_are_llava_nexts_in_a_static_cache(make_model, make_prompt):
    model = make_model(pinpoints=[[28, 56], [56, 28], [56, 56]])
    images = {"pixel_values": torch.randn(1, 5, 3, 28, 28), "image_sizes": torch.tensor([[40, 56]])}
    (features,) = model.model.get_image_features(**images).pooler_output
    ids_BS = make_prompt(1, 40, image_tokens=len(features))
    inputs = {"input_ids": ids_BS, "attention_mask": torch.ones_like(ids_BS), **images}
    options = {"cache_implementation": "static"}
    assert torch.equal(generated(model, inputs, **options), generated(twin_of(model), inputs, **options))


@pytest.mark.parametrize("num_experts", [8, pytest.param(0, marks=pytest.mark.long)])
def test_a_compiled_static_cache_is_one_graph_that_changes_no_token(make_model, batch, num_experts):
    model = make_model(num_experts=num_experts)
    compile_config = CompileConfig(fullgraph=True, backend="aot_eager", mode=None)
    compile_config._compile_all_devices = True
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    found = generated(model, batch, cache_implementation="static", compile_config=compile_config)
    assert torch.equal(found, generated(model, batch))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("num_experts", [8, 0])
def test_logits_of_64_cached_steps_are_llavas(make_model, batch, num_experts):
    ours = make_model(num_experts=num_experts, head_dim=64)
    theirs, token_B1, mask_BS = twin_of(ours), None, batch["attention_mask"]
    caches = [DynamicCache(config=each.config.get_text_config()) for each in (ours, theirs)]
    for step in range(65):
        inputs = {**(batch if step == 0 else {"input_ids": token_B1}), "attention_mask": mask_BS}
        positions = (mask_BS.cumsum(-1) - 1).clamp_min(0)[:, -inputs["input_ids"].shape[1] :]
        with torch.no_grad():
            found, expected = (
                each(**inputs, position_ids=positions, **{CACHE: cache}).logits[:, -1]
                for each, cache in zip((ours, theirs), caches, strict=True)
            )
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        token_B1 = expected.argmax(-1, keepdim=True)
        assert torch.equal(found.argmax(-1, keepdim=True), token_B1)
        mask_BS = torch.cat([mask_BS, torch.ones_like(token_B1)], dim=1)
    assert caches[0].get_seq_length() == 24 + 64
