"""from_pretrained(device_map=...) by accelerate: on one device, and with weights that wait on a disk."""

import pytest
import torch
from transformers import AutoModelForImageTextToText

from moevlm import prefill
from moevlm.generation import answer

pytest.importorskip("accelerate")

NEW_TOKENS = 12
LAYERS, DECODER = "model.language_model.layers", "model.language_model"
PARTS = ("model.image_newline", "model.vision_tower", "model.multi_modal_projector", "lm_head",
         f"{DECODER}.embed_tokens", f"{DECODER}.norm", f"{DECODER}.rotary_emb")  # fmt: skip
MAPS = {
    "auto": "auto",
    "by name": "cpu",
    "everything": {"": "cpu"},
    "a layer on a disk": {**dict.fromkeys(PARTS, "cpu"), f"{LAYERS}.0": "cpu", f"{LAYERS}.1": "disk"},
    "everything on a disk": {"": "disk"},
}


@pytest.mark.parametrize("where", MAPS)
@pytest.mark.parametrize("fields", [{"tie_word_embeddings": True}, {"num_experts": 0}])
def test_a_placed_model_computes_and_decodes_the_same(make_model, prompt, tmp_path, where, fields):
    model = make_model(head_dim=64, **fields)
    model.save_pretrained(tmp_path / "model")
    placed = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "model", device_map=MAPS[where], offload_folder=tmp_path / "offloaded"
    ).eval()
    is_offloaded = {parameter.device.type for parameter in placed.parameters()} != {"cpu"}
    assert is_offloaded == ("disk" in where)
    with torch.no_grad():
        torch.testing.assert_close(placed(**prompt).logits, model(**prompt).logits, rtol=1e-5, atol=1e-5)
    expected = answer(model, prompt, max_new_tokens=NEW_TOKENS)
    assert torch.equal(answer(placed, prompt, max_new_tokens=NEW_TOKENS), expected)
    options = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "eos_token_id": None}
    assert torch.equal(placed.generate(**prompt, **options)[:, -NEW_TOKENS:], expected)
    if not is_offloaded:
        is_tied = placed.lm_head.weight is placed.get_input_embeddings().weight
        assert is_tied == model.config.tie_word_embeddings


def test_a_decoder_layer_is_never_split(make_model, tmp_path):
    model = make_model(num_hidden_layers=6)
    model.save_pretrained(tmp_path / "model")
    num_bytes = sum(parameter.nbytes for parameter in model.parameters())
    placed = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "model", device_map="auto", max_memory={"cpu": num_bytes * 3 // 4}, offload_folder=tmp_path / "disk"
    )
    layers = [name for name in placed.hf_device_map if name.startswith(LAYERS)]
    assert set(placed.hf_device_map.values()) == {"cpu", "disk"}
    assert len(layers) == 6
    assert all(name.count(".") == 3 for name in layers)


def test_prefill_refuses_a_model_on_several_devices(make_model, prompt):
    model = make_model()
    model.hf_device_map = {"model": 0, "lm_head": "cpu"}
    prefill(model, prompt, max_new_tokens=1)
    model.hf_device_map = {"model": 0, "lm_head": 1}
    with pytest.raises(ValueError, match=r"cache on one device, got a model on 0, 1; call generate\(\)"):
        prefill(model, prompt, max_new_tokens=1)
