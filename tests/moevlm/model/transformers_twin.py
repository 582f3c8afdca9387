"""transformers' own LLaVA or LLaVA-NeXT over Qwen3-MoE or Qwen3 with a model's weights, copied by hand.

Shapes: E experts, I width of one expert, H hidden size, F = E * I.
"""

from typing import Any

import torch
from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    Qwen3Config,
    Qwen3MoeConfig,
)

from moevlm import MoEVLM, MoEVLMConfig

OURS_ALONE = ("model_type", "ffn_block_size")


def twin_of(model: MoEVLM, **fields: Any) -> Any:
    """Build transformers' model with the same weights; `fields` change its decoder's configuration."""
    twin = empty_twin(model.config, **fields)
    twin.load_state_dict(renamed_weights(model))
    return twin.to(model.dtype).eval()


def empty_twin(config: MoEVLMConfig, **fields: Any) -> Any:
    """Build transformers' model of a configuration."""
    text = qwen_config(config.text_config, **fields)
    parts = {"text_config": text, "vision_config": config.vision_config.to_dict(),
             "image_token_index": config.image_token_id}  # fmt: skip
    if config.image_grid_pinpoints is None:
        return LlavaForConditionalGeneration(LlavaConfig(**parts))
    pinpoints = config.image_grid_pinpoints
    return LlavaNextForConditionalGeneration(LlavaNextConfig(**parts, image_grid_pinpoints=pinpoints))


def qwen_config(text_config: Any, **more: Any) -> Any:
    """Spell our decoder's configuration as transformers' of the same kind."""
    kind = Qwen3MoeConfig if text_config.num_experts else Qwen3Config
    fields = {name: value for name, value in text_config.to_dict().items() if name not in OURS_ALONE}
    return kind(**{**fields, **more})


def renamed_weights(model: MoEVLM) -> dict[str, torch.Tensor]:
    """Rename our weights as theirs: experts' down transposed, a dense layer's blocks of gate and up taken apart."""
    weights = model.state_dict()
    if model.config.image_grid_pinpoints is None:
        weights.pop("model.image_newline")
    for name in [name for name in weights if name.endswith("mlp.experts.down")]:
        weights[name + "_proj"] = weights.pop(name).transpose(1, 2)
    for name in [name for name in weights if name.endswith("mlp.down")]:
        path = name.removesuffix("down")
        gate, up = weights.pop(path + "gate_up_proj").chunk(2, dim=1)
        weights[path + "gate_proj.weight"], weights[path + "up_proj.weight"] = gate.flatten(0, 1), up.flatten(0, 1)
        weights[path + "down_proj.weight"] = weights.pop(name).flatten(0, 1).T
    return weights


def text_only(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Keep the decoder's weights and the head's, named as in a text model alone."""
    return {name.replace("model.language_model.", "model."): tensor for name, tensor in weights.items()
            if "language_model" in name or "lm_head" in name}  # fmt: skip
