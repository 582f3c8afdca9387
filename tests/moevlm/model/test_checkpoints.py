"""Published decoders in our model, against transformers' own Qwen3-MoE that wrote the checkpoint."""

import json
import logging

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, OlmoeConfig, Qwen3MoeConfig, Qwen3MoeForCausalLM

from moevlm import MoEVLM, MoEVLMConfig, MoEVLMTextModel
from moevlm.model import checkpoints
from moevlm.model.checkpoints import load_decoder, text_config_from
from moevlm.model.parameters import parameter_counts
from moevlm.smoes.ablations import specialized
from moevlm.smoes.binning import ExpertBins
from moevlm.smoes.modality import GaussianModality

TINY = {
    "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 128, "num_experts": 8,
    "num_experts_per_tok": 2, "moe_intermediate_size": 24, "norm_topk_prob": True,
}  # fmt: skip
VISION = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28,
    "patch_size": 14,
}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 32}
QWEN3_30B_A3B = {  # of config.json at huggingface.co/Qwen/Qwen3-30B-A3B, in the spelling of its day
    "attention_bias": False, "decoder_sparse_step": 1, "head_dim": 128, "hidden_act": "silu", "hidden_size": 2048,
    "intermediate_size": 6144, "max_position_embeddings": 40960, "max_window_layers": 48, "mlp_only_layers": [],
    "model_type": "qwen3_moe", "moe_intermediate_size": 768, "norm_topk_prob": True, "num_attention_heads": 32,
    "num_experts": 128, "num_experts_per_tok": 8, "num_hidden_layers": 48, "num_key_value_heads": 4,
    "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000.0, "sliding_window": None,
    "tie_word_embeddings": False, "use_sliding_window": False, "vocab_size": 151936,
}  # fmt: skip
WEIGHTS = "model.safetensors"
IDS_BS = torch.arange(48).view(2, 24) % 31


@pytest.fixture
def published(tmp_path):
    """Write a random Qwen3-MoE decoder as transformers does and return it; norms and biases are random too."""

    def write(save=None, **config):
        torch.manual_seed(0)
        theirs = Qwen3MoeForCausalLM(Qwen3MoeConfig(**{**TINY, **config})).eval()
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        theirs.save_pretrained(tmp_path, **(save or {}))
        return theirs

    return write


def build(text_config):
    torch.manual_seed(1)
    return MoEVLM(MoEVLMConfig(text_config=text_config, vision_config=VISION, image_token_id=5)).eval()


def rewrite(folder, change):
    """Change the tensors of a checkpoint of one file."""
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)


@pytest.mark.parametrize("save", [{}, {"save_original_format": False}], ids=["per-expert", "fused"])
@pytest.mark.parametrize(
    "config",
    [{}, {"norm_topk_prob": False}, {"tie_word_embeddings": True}, {"attention_bias": True}, {"rope_parameters": YARN}],
    ids=lambda config: next(iter(config), "plain"),
)
def test_loaded_decoder_equals_the_one_that_was_saved(published, tmp_path, save, config):
    theirs = published(save, **config)
    ours = build(text_config_from(theirs.config))
    load_decoder(ours, tmp_path)
    torch.testing.assert_close(ours(IDS_BS).logits, theirs(IDS_BS).logits, rtol=1e-5, atol=1e-5)


def test_the_two_layouts_differ_in_their_experts(published, tmp_path):
    published()
    assert "model.layers.0.mlp.experts.7.down_proj.weight" in load_file(tmp_path / WEIGHTS)
    published({"save_original_format": False})
    assert "model.layers.0.mlp.experts.down_proj" in load_file(tmp_path / WEIGHTS)


def test_a_checkpoint_of_several_files_loads_into_a_decoder_alone(published, tmp_path):
    theirs = published({"max_shard_size": "20KB"})
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    ours = MoEVLMTextModel(text_config_from(theirs.config)).eval()
    load_decoder(ours, str(tmp_path))
    hidden_BSD = theirs.model(IDS_BS).last_hidden_state
    torch.testing.assert_close(ours(IDS_BS).last_hidden_state, hidden_BSD, rtol=1e-5, atol=1e-5)


def test_values_take_the_models_dtype_and_the_rest_of_the_model_stays(published, tmp_path):
    theirs = published()
    ours = build(text_config_from(theirs.config)).to(torch.bfloat16)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    load_decoder(ours, tmp_path)
    for name, tensor in ours.state_dict().items():
        assert tensor.dtype == torch.bfloat16, name
        is_decoder = "language_model" in name or "lm_head" in name
        assert torch.equal(tensor, before[name]) != is_decoder, name
    assert torch.equal(ours.lm_head.weight, theirs.lm_head.weight.bfloat16())


def test_a_name_is_looked_up_on_the_hub(published, tmp_path, monkeypatch):
    theirs, names = published(), []
    monkeypatch.setattr(checkpoints, "snapshot_download", lambda name, **_: names.append(name) or str(tmp_path))
    ours = build(text_config_from(theirs.config))
    load_decoder(ours, "someone/decoder")
    assert names == ["someone/decoder"]
    assert torch.equal(ours.lm_head.weight, theirs.lm_head.weight)


def test_qwen3_30b_a3b_has_its_published_size():
    text_config = text_config_from(Qwen3MoeConfig(**QWEN3_30B_A3B))
    assert text_config.rope_parameters["rope_theta"] == 1e6
    assert (text_config.head_dim, text_config.num_experts, text_config.norm_topk_prob) == (128, 128, True)
    counts = parameter_counts(MoEVLMConfig(text_config=text_config))
    assert round(counts.text / 1e9, 1) == 30.5
    embeddings = 2 * 151936 * 2048
    assert round((counts.text - embeddings) / 1e9, 1) == 29.9


@pytest.mark.parametrize("name", ["smoes-attention", "smoes-gaussian"])
def test_specialization_state_starts_fresh_and_says_so(published, tmp_path, caplog, name):
    theirs = published()
    ours = build(specialized(text_config_from(theirs.config), name))
    fresh = {key: tensor.clone() for key, tensor in ours.model.language_model.named_buffers()}
    for module in ours.modules():
        if isinstance(module, ExpertBins | GaussianModality):
            for buffer in module.buffers():
                buffer.fill_(1)
    with caplog.at_level(logging.WARNING, logger="moevlm.model.checkpoints"):
        load_decoder(ours, tmp_path)
    assert "the checkpoint holds no SMoES state: expert bins and modality Gaussians start fresh" in caplog.text
    for key, tensor in ours.model.language_model.named_buffers():
        assert torch.equal(tensor, fresh[key]), key
    torch.testing.assert_close(ours(IDS_BS).logits, theirs(IDS_BS).logits, rtol=1e-5, atol=1e-5)


def test_a_plain_moe_loads_silently(published, tmp_path, caplog):
    load_decoder(build(text_config_from(published().config)), tmp_path)
    assert not caplog.records


@pytest.mark.parametrize("config", [LlamaConfig(), OlmoeConfig()], ids=lambda config: config.model_type)
def test_another_architecture_is_refused(published, tmp_path, config):
    ours = build(text_config_from(published().config))
    message = rf"model_type must be qwen3_moe .*, got {config.model_type}; take"
    config.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        load_decoder(ours, tmp_path)
    with pytest.raises(ValueError, match=message):
        text_config_from(config)


@pytest.mark.parametrize(
    ("field", "value"), [("decoder_sparse_step", 2), ("mlp_only_layers", [0]), ("use_sliding_window", True)]
)
def test_layers_that_our_decoder_does_not_build_are_refused(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*; take a checkpoint with experts in every layer"):
        text_config_from(Qwen3MoeConfig(**{**TINY, field: value}))


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [("num_experts_per_tok", 3, "2, got 3"), ("rms_norm_eps", 1e-5, "1e-06, got 1e-05"), ("num_experts", 0, "8, got 0"),
     ("rope_parameters", YARN, ".*, got .*yarn.*"), ("tie_word_embeddings", True, "False, got True")],
)  # fmt: skip
def test_a_field_that_no_shape_shows_must_agree(published, tmp_path, field, value, shown):
    fields = text_config_from(published().config).to_dict()
    with pytest.raises(ValueError, match=rf"{field} must be the checkpoint's, {shown}; build"):
        load_decoder(build({**fields, field: value}), tmp_path)


def lose_a_tensor(tensors):
    tensors.pop("model.layers.1.mlp.experts.3.up_proj.weight")


def quantize(tensors):
    tensors["model.layers.0.self_attn.q_proj.weight_scale_inv"] = torch.ones(1)


def narrow_the_router(tensors):
    tensors["model.layers.1.mlp.gate.weight"] = torch.ones(8, 31)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose_a_tensor, r"must hold every tensor of the decoder, got none for model\.layers\.1\.mlp\.experts\.3\.up"),
        (quantize, "must have a place for every tensor, got none for .*weight_scale_inv; take an unquantized"),
        (narrow_the_router, r"model\.layers\.1\.mlp\.gate\.weight must be \(8, 32\) as in the model, got \(8, 31\); "),
        (dict.clear, r"got none for lm_head\.weight, .*, .* and \d+ more; "),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_before_any_weight_changes(published, tmp_path, change, message):
    ours = build(text_config_from(published().config))
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    rewrite(tmp_path, change)
    with pytest.raises(ValueError, match=message):
        load_decoder(ours, tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())


def test_a_model_of_other_width_is_refused(published, tmp_path):
    fields = text_config_from(published().config).to_dict()
    message = r"experts\.0\.gate_proj\.weight must be \(16, 32\) as in the model, got \(24, 32\); build"
    with pytest.raises(ValueError, match=message):
        load_decoder(build({**fields, "moe_intermediate_size": 16}), tmp_path)


def test_a_model_without_storage_is_refused(published, tmp_path):
    text_config = text_config_from(published().config)
    with torch.device("meta"):
        ours = MoEVLMTextModel(text_config)
    with pytest.raises(ValueError, match=r"must have storage, got .* on the meta device"):
        load_decoder(ours, tmp_path)


def test_a_missing_folder_is_refused(published, tmp_path):
    ours = build(text_config_from(published().config))
    with pytest.raises(ValueError, match=r"must be a folder, or a model on the Hugging Face Hub .*/nowhere; correct"):
        load_decoder(ours, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("lost", "message"), [("config.json", "must hold config.json, got "), (WEIGHTS, f"without {WEIGHTS}; download")]
)
def test_a_missing_file_is_named(published, tmp_path, lost, message):
    ours = build(text_config_from(published().config))
    (tmp_path / lost).unlink()
    with pytest.raises(ValueError, match=message):
        load_decoder(ours, tmp_path)


def test_a_missing_shard_is_named(published, tmp_path):
    theirs = published({"max_shard_size": "20KB"})
    shards = sorted(tmp_path.glob("*.safetensors"))
    shards[1].unlink()
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert shards[1].name in index["weight_map"].values()
    with pytest.raises(ValueError, match=f"without {shards[1].name}; download it again"):
        load_decoder(build(text_config_from(theirs.config)), tmp_path)
