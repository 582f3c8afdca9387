"""Checkpoints of the decoder alone: read by transformers' own classes and by our reader of published ones."""

import json

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM

from moevlm import RoutingProfile, apply_profile
from moevlm.export.checkpoint import write_checkpoint
from moevlm.model.checkpoints import load_decoder

BLOCKS = {"num_experts": 0, "intermediate_size": 256, "ffn_block_size": 32}  # of the twin of conftest's MoE
DENSE = {"num_experts": 0, "intermediate_size": 96}
ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}


@pytest.mark.parametrize("text", [{}, BLOCKS, DENSE, {"tie_word_embeddings": True}, ROPE],
                         ids=["moe", "twin", "dense", "tied", "rope"])  # fmt: skip
def test_transformers_reads_it_and_answers_alike(make_model, tmp_path, text):
    model = make_model(**text)
    write_checkpoint(model, tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert type(theirs).__name__ == ("Qwen3ForCausalLM" if "num_experts" in text else "Qwen3MoeForCausalLM")
    ids = torch.randint(6, 256, (2, 40), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(model(input_ids=ids).logits, theirs(input_ids=ids).logits, rtol=1e-4, atol=1e-4)


def test_every_expert_has_tensors_of_its_own_as_published_ones_do(make_model, tmp_path):
    model = make_model(torch.bfloat16)
    names = write_checkpoint(model, tmp_path)
    assert sum(".experts." in name for name in names) == 2 * 8 * 3  # layers, experts, projections
    other = make_model(torch.bfloat16)
    for parameter in other.model.language_model.parameters():
        parameter.data.zero_()
    load_decoder(other, tmp_path)
    expected = dict(model.model.language_model.named_parameters())
    for name, parameter in other.model.language_model.named_parameters():
        assert torch.equal(parameter, expected[name]), name


def test_each_layer_is_a_file_and_the_index_names_the_place_of_every_tensor(make_model, tmp_path):
    names = write_checkpoint(make_model(torch.bfloat16), tmp_path)
    places = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    assert list(places) == names
    files = {f"model-{name}.safetensors" for name in ("layer-0", "layer-1", "rest")}
    assert set(places.values()) == files == {path.name for path in tmp_path.glob("*.safetensors")}
    for name, file in places.items():
        with safe_open(tmp_path / file, "pt") as shard:
            assert shard.get_tensor(name).dtype is torch.bfloat16
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"


def test_what_has_no_counterpart_is_refused_and_nothing_is_written(make_model, tmp_path):
    model = make_model()
    apply_profile(model, RoutingProfile(name="uniform"))
    with pytest.raises(ValueError, match=r"got the routing profile uniform; apply the profile weights"):
        write_checkpoint(model, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
