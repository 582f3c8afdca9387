"""Small configurations of any family: the defaults of transformers' own classes with every size made small."""

from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

WIDTH, HEAD_DIM, NUM_HEADS, NUM_LAYERS = 64, 16, 4, 2
PATCHES = 4  # along a side of the square picture that a vision tower takes
NAMES: dict[int, str] = {  # the families' own words, by the size that they get
    WIDTH: "hidden_size d_model embed_dim n_embd dim projection_dim hidden_dim out_hidden_size output_dim out_dim "
    "vision_hidden_size text_hidden_size encoder_hidden_size projector_hidden_size vision_output_dim "
    "intermediate_size ffn_dim d_ff mlp_dim encoder_ffn_dim decoder_ffn_dim ffn_hidden_size dense_intermediate_size "
    "intermediate_size_mlp vision_embed_dim alignment_intermediate_size image_text_hidden_size projection_hidden_dim "
    "projection_intermediate_size projection_hidden_size mm_embed_dim projector_input_dim projector_output_dim "
    "shared_intermediate_size moe_hidden_size mm_hidden_size image_token_embed_dim output_proj_dims "
    "adapter_in_dim adapter_out_dim",
    32: "moe_intermediate_size shared_expert_intermediate_size moe_shared_expert_intermediate_size share_expert_dim "
    "shared_experts_intermediate_size q_lora_rank base_channels latent_channels output_channels post_conv_in_channels "
    "post_conv_mid_channels",
    HEAD_DIM: "head_dim d_kv global_head_dim kv_lora_rank v_head_dim hidden_size_per_layer_input index_head_dim "
    "swa_head_dim linear_head_dim linear_key_head_dim linear_value_head_dim mamba_head_dim "
    "resampler_head_dim ssm_state_size",
    8: "qk_nope_head_dim qk_rope_head_dim",
    NUM_HEADS: "num_attention_heads num_heads attention_heads encoder_attention_heads decoder_attention_heads n_head "
    "num_experts num_local_experts n_routed_experts moe_num_experts index_n_heads linear_num_heads "
    "swa_num_attention_heads linear_num_value_heads resampler_n_heads",
    2: "num_hidden_layers depth num_layers encoder_layers decoder_layers n_layer num_decoder_layers "
    "num_key_value_heads num_experts_per_tok moe_topk top_k_experts moe_k num_global_layers linear_num_key_heads "
    "swa_num_key_value_heads layers n_layers resampler_depth",
    1: "n_group topk_group n_shared_experts moe_num_shared_experts first_k_dense_replace num_nextn_predict_layers",
    4096: "max_position_embeddings",
}  # fmt: skip
SIZES = {name: size for size, names in NAMES.items() for name in names.split()}
DERIVED = {
    "layer_types",
    "mlp_layer_types",
    "moe_layers",
    "no_rope_layers",
    "layers_block_type",
    "kv_source_layers",
    "architectures",
    "per_layer_config",
    "activation_sparsity_pattern",
}


def small_config(model_type: str, num_tokens: int, changes: Mapping[str, Any]) -> PreTrainedConfig:
    """Return the configuration of a family with two narrow layers.

    Args:
        num_tokens: Of its vocabulary.
        changes: Over what the sizes' names tell; a part of another `model_type` begins with that type's defaults.
    """
    kind = CONFIG_MAPPING[model_type]
    return kind.from_dict(_merged(_shrunk(kind().to_dict(), num_tokens), changes, num_tokens))


def _shrunk(fields: Mapping[str, Any], num_tokens: int) -> dict[str, Any]:
    found = {name: _small(name, value, num_tokens) for name, value in fields.items() if name not in DERIVED}
    image, patch = found.get("image_size"), found.get("patch_size")
    if isinstance(image, int) and isinstance(patch, int):
        found["image_size"] = PATCHES * patch
    elif isinstance(image, list | tuple) and isinstance(patch, list | tuple):
        found["image_size"] = [PATCHES * side for side in patch]
    rope = found.get("rope_parameters")
    if isinstance(rope, dict) and "mrope_section" in rope:
        turned = int(HEAD_DIM * (rope.get("partial_rotary_factor") or fields.get("partial_rotary_factor") or 1)) // 2
        rope["mrope_section"] = [turned - 2 * (turned // 3), turned // 3, turned // 3]
    return found


def _small(name: str, value: Any, num_tokens: int) -> Any:
    if isinstance(value, Mapping):
        return _shrunk(value, num_tokens)
    if isinstance(value, bool) or not isinstance(value, int | list):
        return value
    if name == "vocab_size":
        return num_tokens
    if name not in SIZES:
        return value
    return [SIZES[name]] * min(len(value), NUM_LAYERS) if isinstance(value, list) else SIZES[name]


def _merged(fields: dict[str, Any], changes: Mapping[str, Any], num_tokens: int) -> dict[str, Any]:
    for name, value in changes.items():
        if not isinstance(value, Mapping):
            fields[name] = value
            continue
        part = fields.get(name) or {}
        if (kind := value.get("model_type", part.get("model_type"))) and kind != part.get("model_type"):
            part = _shrunk(CONFIG_MAPPING[kind]().to_dict(), num_tokens)
        fields[name] = _merged(part, value, num_tokens)
    return fields
