"""transformers' own model over an MoE's tensors: what a user would run without this project, without a second copy.

A routing profile is an input of the measurement, so the peer is steered by it too: its routers are then ours, told by
hooks which tokens they see.

Shapes: B samples, S positions, T = B * S tokens.
"""

from typing import Any

import torch
from torch import nn
from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    Qwen3MoeConfig,
)

from moevlm import MoEVLM
from moevlm.checkpoints import CARRIED_FIELDS
from moevlm.config import MoEVLMConfig
from moevlm.router import MoEVLMRouter, Routing
from moevlm.routing_profiles import bias_rows

VISION_FIELDS = (
    "image_token_id", "projector_hidden_act", "multimodal_projector_bias", "vision_feature_layer",
    "vision_feature_select_strategy", "image_seq_length", "tie_word_embeddings",
)  # fmt: skip
STORED_DOWN, DOWN = ".experts.down", ".experts.down_proj"  # ours (E, I, H), theirs (E, H, I)


def transformers_model(
    model: MoEVLM, backend: str
) -> LlavaForConditionalGeneration | LlavaNextForConditionalGeneration:
    """Build LLaVA (LLaVA-NeXT in the anyres scheme) around Qwen3-MoE with a model's own tensors.

    Args:
        model: An MoE with its routing profile; it keeps its tensors.
        backend: One of transformers' expert backends.

    Raises:
        ValueError: The model is dense, or routes hard.
    """
    text_config = model.config.text_config
    if not text_config.num_experts or text_config.num_text_experts is not None:
        raise ValueError(
            "transformers' Qwen3-MoE must have experts and no hard routing, got "
            f"num_experts={text_config.num_experts}, num_text_experts={text_config.num_text_experts}; leave it out"
        )
    config = _config(model.config)
    with torch.device("meta"):
        peer = LlavaForConditionalGeneration(config) if isinstance(config, LlavaConfig) else (
            LlavaNextForConditionalGeneration(config))  # fmt: skip
    ours = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers())
    for name, tensor in [*peer.named_parameters(remove_duplicate=False), *peer.named_buffers()]:
        owner, _, leaf = name.rpartition(".")
        setattr(peer.get_submodule(owner), leaf, _tensor(ours, name, is_parameter=isinstance(tensor, nn.Parameter)))
    peer.model.language_model.set_experts_implementation(backend)
    if model.model.language_model.routing_profile.is_biased:
        _steer(peer, model)
    peer.train(mode=False)
    return peer


class _SteeredRouter(nn.Module):
    """Our router of one layer, called as theirs; the rows of the tokens that come next are set from outside."""

    def __init__(self, router: MoEVLMRouter) -> None:
        super().__init__()
        self.router = router
        self.rows_T: torch.Tensor | None = None

    def forward(self, hidden: torch.Tensor) -> Routing:
        routing: Routing = self.router(hidden.flatten(0, -2), self.rows_T)
        return routing


def _steer(peer: Any, model: MoEVLM) -> None:
    """Put our routers in their places, and tell them the tokens' rows whenever the decoder is called."""
    image_token_id, tokens = model.config.image_token_id, {}
    steered = [_SteeredRouter(layer.mlp.gate) for layer in model.model.language_model.layers]
    for layer, router in zip(peer.model.language_model.layers, steered, strict=True):
        layer.mlp.gate = router

    def see_tokens(_model: nn.Module, args: tuple[torch.Tensor, ...], keywords: dict[str, Any]) -> None:
        (ids_BS,) = args or (keywords["input_ids"],)  # LLaVA-NeXT gives them by place, LLaVA by name
        has_images = keywords.get("pixel_values") is not None or bool(keywords.get("mm_encoder_outputs"))
        tokens["is_vision"] = ids_BS == image_token_id if has_images else None

    def set_rows(_model: nn.Module, _args: object, keywords: dict[str, Any]) -> None:
        rows_T = bias_rows(keywords["position_ids"].expand(keywords["inputs_embeds"].shape[:2]), tokens["is_vision"])
        for router in steered:
            router.rows_T = rows_T

    peer.model.register_forward_pre_hook(see_tokens, with_kwargs=True)
    peer.model.language_model.register_forward_pre_hook(set_rows, with_kwargs=True)


def _config(config: MoEVLMConfig) -> LlavaConfig | LlavaNextConfig:
    text = config.text_config
    fields: dict[str, Any] = {name: getattr(config, name) for name in VISION_FIELDS}
    carried = {name: getattr(text, name) for name in (*CARRIED_FIELDS, "head_dim")}
    fields["text_config"] = Qwen3MoeConfig(**carried)
    fields["vision_config"] = config.vision_config
    if config.image_grid_pinpoints is None:
        return LlavaConfig(**fields)
    return LlavaNextConfig(**fields, image_grid_pinpoints=config.image_grid_pinpoints)


def _tensor(ours: dict[str, torch.Tensor], name: str, *, is_parameter: bool) -> torch.Tensor:
    """Return our tensor of their name; down_proj is a view."""
    if not name.endswith(DOWN):
        return ours[name]
    view = ours[name.removesuffix(DOWN) + STORED_DOWN].detach().transpose(1, 2)
    return nn.Parameter(view, requires_grad=False) if is_parameter else view
