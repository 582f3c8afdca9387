"""How many parameters a configuration gives, by part: counted on the modules that it builds."""

from dataclasses import dataclass

import torch
from torch import nn

from moevlm.config import MoEVLMConfig
from moevlm.model.vision_language import MoEVLM


@dataclass(frozen=True, kw_only=True)
class ParameterCounts:
    """Parameters of one model; `active` are those of `text` that one token passes (embedding and head included)."""

    total: int
    text: int
    active: int
    ffn: int
    vision: int
    projector: int


def parameter_counts(config: MoEVLMConfig) -> ParameterCounts:
    """Count the parameters of the modules that `config` builds, on the meta device (no memory)."""
    with torch.device("meta"):
        model = MoEVLM(config)
    language_model, num_experts = model.model.language_model, config.text_config.num_experts
    text = _count(language_model) + _count(model.lm_head)
    ffn = sum(param.numel() for name, param in language_model.named_parameters() if _is_ffn(name))
    idle_experts = num_experts - config.text_config.num_experts_per_tok if num_experts else 0
    return ParameterCounts(
        total=_count(model),
        text=text,
        active=text - ffn // max(num_experts, 1) * idle_experts,
        ffn=ffn,
        vision=_count(model.model.vision_tower),
        projector=_count(model.model.multi_modal_projector),
    )


def _count(module: nn.Module) -> int:
    return sum(param.numel() for param in module.parameters())


def _is_ffn(name: str) -> bool:
    return ".mlp." in name and ".mlp.gate." not in name  # mlp.gate is the router
