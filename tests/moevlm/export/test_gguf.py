"""GGUF files: read back by gguf's own reader, tensor by tensor, and run by transformers' and llama.cpp's own models."""

import pytest
import torch

from moevlm import RoutingProfile, apply_profile
from tests.full_disk import largest_file

gguf = pytest.importorskip("gguf")

from moevlm.export.gguf import write_gguf  # noqa: E402  # which cannot be imported without gguf

BLOCKS = {"num_experts": 0, "intermediate_size": 256, "ffn_block_size": 32}  # of the twin of conftest's MoE
DENSE = {"num_experts": 0, "intermediate_size": 96}
BINNED = {"num_bins": 2, "modality_scores": "gaussian"}
BF16 = gguf.GGMLQuantizationType.BF16
ATTENTION = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
SAID_OF_BOTH = {  # what llama.cpp's loader reads of either architecture, but for what is said of experts
    "context_length": 512,
    "vocab_size": 256,
    "embedding_length": 64,
    "block_count": 2,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
    "attention.key_length": 16,
    "attention.value_length": 16,
    "attention.layer_norm_rms_epsilon": 1e-6,
    "rope.freq_base": 1e6,
}


def expected_tensors(model):
    """Every tensor of the file by its name there, written out from the state dict, one expert or block at a time."""
    state = {name.removeprefix("model.language_model."): value for name, value in model.state_dict().items()}
    found = {"token_embd.weight": state["embed_tokens.weight"], "output_norm.weight": state["norm.weight"]}
    if not model.config.text_config.tie_word_embeddings:
        found["output.weight"] = state["lm_head.weight"]
    for layer in range(model.config.text_config.num_hidden_layers):
        for theirs, ours in ATTENTION.items():
            found[f"blk.{layer}.{theirs}.weight"] = state[f"layers.{layer}.{ours}.weight"]
        mlp = f"layers.{layer}.mlp"
        if model.config.text_config.num_experts:
            found[f"blk.{layer}.ffn_gate_inp.weight"] = state[f"{mlp}.gate.weight"]
            gate_up, down = state[f"{mlp}.experts.gate_up_proj"], state[f"{mlp}.experts.down"]
            join, suffix = torch.stack, "_exps"
        else:
            gate_up, down = state[f"{mlp}.gate_up_proj"], state[f"{mlp}.down"]
            join, suffix = torch.cat, ""
        width = down.shape[1]
        found[f"blk.{layer}.ffn_gate{suffix}.weight"] = join([block[:width] for block in gate_up])
        found[f"blk.{layer}.ffn_up{suffix}.weight"] = join([block[width:] for block in gate_up])
        found[f"blk.{layer}.ffn_down{suffix}.weight"] = (
            torch.stack([block.T for block in down]) if suffix else torch.cat([block.T for block in down], dim=1)
        )
    return found


def read_back(path):
    """Every tensor of a file by its name, in float32."""
    reader = gguf.GGUFReader(path)
    return {
        one.name: torch.from_numpy(gguf.dequantize(one.data, one.tensor_type).copy()).reshape(one.shape[::-1].tolist())
        for one in reader.tensors
    }


def said(path):
    """What a file says beside its tensors."""
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "text", [{}, BLOCKS, DENSE, {"tie_word_embeddings": True}], ids=["moe", "twin", "dense", "tied"]
)
def test_the_file_holds_every_tensor_of_the_decoder_and_no_other(make_model, tmp_path, text, dtype):
    model = make_model(getattr(torch, dtype), **text)
    written = write_gguf(model, tmp_path / "a.gguf", dtype=dtype)
    found, expected = read_back(tmp_path / "a.gguf"), expected_tensors(model)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name].float()), name
    assert written.num_tensors == len(expected)
    assert written.num_bytes == (tmp_path / "a.gguf").stat().st_size


def test_values_are_rounded_to_a_file_of_16_bits_but_for_norms_and_router(make_model, tmp_path):
    model = make_model()
    write_gguf(model, tmp_path / "a.gguf", dtype="bfloat16")
    kinds = {one.name: one.tensor_type for one in gguf.GGUFReader(tmp_path / "a.gguf").tensors}
    expected = expected_tensors(model)
    for name, tensor in read_back(tmp_path / "a.gguf").items():
        exact = name.endswith(("norm.weight", "ffn_gate_inp.weight"))
        assert (kinds[name] == BF16) != exact, name
        assert torch.equal(tensor, expected[name] if exact else expected[name].bfloat16().float()), name


@pytest.mark.parametrize(
    ("text", "architecture", "own"),
    [
        ({}, "qwen3moe", {"expert_count": 8, "expert_used_count": 2, "expert_feed_forward_length": 32}),
        (BLOCKS, "qwen3", {"feed_forward_length": 256}),
    ],
    ids=["moe", "dense"],
)
def test_the_file_says_what_the_loader_must_be_told(make_model, tmp_path, text, architecture, own):
    write_gguf(make_model(**text), tmp_path / "a.gguf", name="small")
    found = said(tmp_path / "a.gguf")
    assert found["general.architecture"] == architecture
    assert (found["general.name"], found["tokenizer.ggml.model"]) == ("small", "none")
    for name, value in {**SAID_OF_BOTH, **own}.items():
        assert found[f"{architecture}.{name}"] == pytest.approx(value), name
    assert ("qwen3moe.expert_count" in found) == (architecture == "qwen3moe")


@pytest.mark.parametrize("text", [{}, BLOCKS, {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}],
                         ids=["moe", "twin", "rope"])  # fmt: skip
def test_transformers_reads_the_file_and_answers_alike(make_model, tmp_path, text):
    pytest.importorskip("accelerate")  # which transformers reads GGUF with
    from transformers import AutoModelForCausalLM

    model = make_model(**text)
    write_gguf(model, tmp_path / "a.gguf")
    own = {"head_dim": 16} if text == BLOCKS else {"moe_intermediate_size": 32}  # which transformers does not read
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="a.gguf", dtype=torch.float32, **own).eval()
    assert type(theirs).__name__ == ("Qwen3ForCausalLM" if text == BLOCKS else "Qwen3MoeForCausalLM")
    ids = torch.randint(6, 256, (2, 40), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(model(input_ids=ids).logits, theirs(input_ids=ids).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ({"norm_topk_prob": False}, "norm_topk_prob must be True, the only way of Qwen3-MoE elsewhere, got False"),
        ({"num_text_experts": 4}, "num_text_experts must be None, the only way of Qwen3-MoE elsewhere, got 4"),
        ({"hidden_act": "gelu", **DENSE}, "hidden_act must be silu, the only way of Qwen3 elsewhere, got gelu"),
        ({"attention_bias": True}, "attention_bias must be False"),
        (
            {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e6}},
            "rope_parameters must be {'rope_type': 'default'} with any rope_theta, got",
        ),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_name(make_model, tmp_path, text, says):
    with pytest.raises(ValueError, match=says.replace("{", r"\{")):
        write_gguf(make_model(**text), tmp_path / "a.gguf")
    assert list(tmp_path.iterdir()) == []


def test_a_steered_router_is_refused(make_model, tmp_path):
    model = make_model()
    apply_profile(model, RoutingProfile(name="uniform"))
    with pytest.raises(ValueError, match=r"got the routing profile uniform; apply the profile weights"):
        write_gguf(model, tmp_path / "a.gguf")


def test_a_part_that_is_added_is_refused(make_model, tmp_path):
    model = make_model()
    model.model.language_model.layers[1].self_attn.adapter = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"got model.layers.1.self_attn.adapter.weight; merge adapters"):
        write_gguf(model, tmp_path / "a.gguf")


def test_another_dtype_is_refused(make_model, tmp_path):
    with pytest.raises(ValueError, match="dtype must be one of float32, bfloat16, got float16; choose one of them"):
        write_gguf(make_model(), tmp_path / "a.gguf", dtype="float16")


def test_what_is_left_out_is_said(make_model, tmp_path):
    dense = write_gguf(make_model(**DENSE), tmp_path / "a.gguf").left_out
    assert [line.split(" (")[0] for line in dense] == ["the vision tower", "the projector"]
    model = make_model(**BINNED)
    *_, scores = write_gguf(model, tmp_path / "b.gguf").left_out
    assert scores.startswith("modality scores and expert bins, which only measure (")
    assert read_back(tmp_path / "b.gguf").keys() == expected_tensors(model).keys()


def test_a_full_disk_leaves_what_was_there(make_model, tmp_path):
    (tmp_path / "a.gguf").write_bytes(b"before")
    with largest_file(100_000), pytest.raises(OSError, match="requested") as refused:
        write_gguf(make_model(), tmp_path / "a.gguf")
    assert refused.value.errno is not None
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]
