"""The model: Qwen3's attention, experts or one dense feed-forward, under LLaVA-NeXT's vision wrapper.

One file, because transformers reads the source of the file that holds a PreTrainedModel to decide which expert and
attention backends may be set on it.

Shapes: B samples, S positions, H hidden size, T = B * S tokens, E experts, I width of one expert or block, F = E * I,
K experts a token.
"""

# transformers' methods and decorators carry no annotations.
# mypy: allow-untyped-calls, allow-untyped-decorators

import inspect
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.integrations.moe import use_experts_implementation
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import MoeModelOutputWithPast
from transformers.models.llava.modeling_llava import LlavaModel
from transformers.models.llava_next.modeling_llava_next import LlavaNextForConditionalGeneration, LlavaNextModel
from transformers.models.qwen3_moe.modeling_qwen3_moe import (
    Qwen3MoeAttention,
    Qwen3MoeExperts,
    Qwen3MoeRMSNorm,
    Qwen3MoeRotaryEmbedding,
)
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from moevlm.config import MoEVLMConfig, MoEVLMTextConfig
from moevlm.router import MoEVLMRouter, RoutingProfile, bias_rows

RotaryTables = tuple[torch.Tensor, torch.Tensor]


@use_experts_implementation
class MoEVLMExperts(nn.Module):
    """Hold the experts' weights; the backend that the configuration names computes with them.

    `down` is stored (E, I, H), so that a dense twin reads the same bytes as one (E * I, H) matrix.
    """

    forward = inspect.unwrap(Qwen3MoeExperts.forward)  # "eager": transformers' own loop over the experts

    def __init__(self, config: MoEVLMTextConfig) -> None:
        super().__init__()
        self.num_experts = config.num_experts
        self.act_fn = ACT2FN[config.hidden_act]
        self.gate_up_proj, self.down = _ffn_parameters(config)

    @property
    def down_proj(self) -> torch.Tensor:
        """View the stored weights as transformers' backends read them: (E, H, I)."""
        return self.down.transpose(1, 2)


def _ffn_parameters(config: MoEVLMTextConfig) -> tuple[nn.Parameter, nn.Parameter]:
    blocks, width = config.num_ffn_blocks, config.ffn_block_width
    gate_up = torch.empty(blocks, 2 * width, config.hidden_size)
    return nn.Parameter(gate_up), nn.Parameter(torch.empty(blocks, width, config.hidden_size))


class MoEVLMSparseMLP(nn.Module):
    """Route each token to its experts and sum their weighted outputs."""

    def __init__(self, config: MoEVLMTextConfig) -> None:
        super().__init__()
        self.gate = MoEVLMRouter(config)
        self.experts = MoEVLMExperts(config)

    def forward(self, hidden_BSH: torch.Tensor, rows_T: torch.Tensor | None = None) -> torch.Tensor:
        """Transform hidden states; `rows_T` are the rows of the routing profile's bias."""
        hidden_TH = hidden_BSH.flatten(0, 1)
        _, weights_TK, ids_TK = self.gate(hidden_TH, rows_T)
        output_TH: torch.Tensor = self.experts(hidden_TH, ids_TK, weights_TK)
        return output_TH.view_as(hidden_BSH)


class MoEVLMDenseMLP(nn.Module):
    """Compute SwiGLU with gate and up rows alternating in blocks: an MoE's storage with every expert used once."""

    def __init__(self, config: MoEVLMTextConfig) -> None:
        super().__init__()
        self.act_fn = ACT2FN[config.hidden_act]
        self.gate_up_proj, self.down = _ffn_parameters(config)

    def forward(self, hidden_BSH: torch.Tensor, rows_T: torch.Tensor | None = None) -> torch.Tensor:  # noqa: ARG002
        """Transform hidden states; `rows_T` has no meaning without a router."""
        blocks, width, hidden_size = self.down.shape
        projected = F.linear(hidden_BSH, self.gate_up_proj.view(-1, hidden_size))
        gate, up = projected.unflatten(-1, (blocks, 2, width)).unbind(-2)
        return cast(torch.Tensor, (self.act_fn(gate) * up).flatten(-2) @ self.down.view(-1, hidden_size))


class MoEVLMDecoderLayer(GradientCheckpointingLayer):
    """Attention and feed-forward, each on the normalised residual stream."""

    def __init__(self, config: MoEVLMTextConfig, layer_idx: int) -> None:
        super().__init__()
        self.self_attn = Qwen3MoeAttention(config, layer_idx)  # type: ignore[arg-type]  # reads shared fields only
        self.mlp = MoEVLMSparseMLP(config) if config.num_experts else MoEVLMDenseMLP(config)
        self.input_layernorm = Qwen3MoeRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = Qwen3MoeRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(
        self,
        hidden_BSH: torch.Tensor,
        rotary: RotaryTables,
        attention_mask: torch.Tensor | None,
        past_key_values: Cache | None,
        rows_T: torch.Tensor | None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Return the residual stream after this layer."""
        attended, _ = self.self_attn(
            self.input_layernorm(hidden_BSH), rotary, attention_mask, past_key_values, **kwargs
        )
        hidden_BSH = hidden_BSH + attended
        output: torch.Tensor = hidden_BSH + self.mlp(self.post_attention_layernorm(hidden_BSH), rows_T)
        return output


class MoEVLMTextModel(PreTrainedModel):
    """Decoder without its head."""

    config: MoEVLMTextConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["MoEVLMDecoderLayer"]  # noqa: RUF012  # transformers declares an instance attribute
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012  # the same
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {  # noqa: RUF012  # the same
        "router_logits": OutputRecorder(MoEVLMRouter, index=0),
        "hidden_states": MoEVLMDecoderLayer,
        "attentions": Qwen3MoeAttention,
    }

    def __init__(self, config: MoEVLMTextConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(MoEVLMDecoderLayer(config, index) for index in range(config.num_hidden_layers))
        self.norm = Qwen3MoeRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = Qwen3MoeRotaryEmbedding(config)  # type: ignore[arg-type]  # reads shared fields only
        self.routing_profile = RoutingProfile()
        self.gradient_checkpointing = False
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, MoEVLMExperts | MoEVLMDenseMLP):
            init.normal_(module.gate_up_proj, mean=0.0, std=self.config.initializer_range)
            init.normal_(module.down, mean=0.0, std=self.config.initializer_range)
        elif isinstance(module, MoEVLMRouter):
            init.normal_(module.weight, mean=0.0, std=self.config.initializer_range)

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        vision_mask_BS: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> MoeModelOutputWithPast:
        """Return the last hidden states and the cache.

        Args:
            input_ids: Tokens (B, S), int64; this or `inputs_embeds`.
            attention_mask: 1 for a token, 0 for padding, (B, cached + S); None = no padding.
            position_ids: Positions (B, S); None counts on from the cache.
            past_key_values: Cache to extend.
            inputs_embeds: Embeddings (B, S, H).
            use_cache: Whether to make a cache where none is given.
            vision_mask_BS: True where an embedding is an image feature; read by routing profiles only.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give one of input_ids and inputs_embeds, got both or neither; leave one out")
        hidden_BSH = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        if position_ids is None:
            start = past_key_values.get_seq_length() if past_key_values is not None else 0
            position_ids = torch.arange(start, start + hidden_BSH.shape[1], device=hidden_BSH.device)[None]
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=hidden_BSH,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=position_ids,
        )
        rows_T = None
        if self.routing_profile.is_biased:
            rows_T = bias_rows(position_ids.expand(hidden_BSH.shape[:2]), vision_mask_BS)
        rotary = self.rotary_emb(hidden_BSH, position_ids)
        for layer in self.layers:
            hidden_BSH = layer(
                hidden_BSH, rotary=rotary, attention_mask=mask, past_key_values=past_key_values, rows_T=rows_T, **kwargs
            )
        return MoeModelOutputWithPast(last_hidden_state=self.norm(hidden_BSH), past_key_values=past_key_values)


class MoEVLMModel(LlavaNextModel):
    """Vision tower, projector and decoder: LLaVA's fixed scheme (one tile an image) or LLaVA-NeXT's anyres."""

    config: MoEVLMConfig  # type: ignore[assignment]  # has the fields of LlavaNextConfig that the parent reads

    def get_image_features(
        self, pixel_values: torch.Tensor, image_sizes: torch.Tensor | None = None, **kwargs: Any
    ) -> Any:
        """Encode and project images; `pooler_output` lists each image's features (tokens, H).

        Args:
            pixel_values: Fixed: (images, 3, height, width); anyres: (images, tiles, 3, height, width).
            image_sizes: Anyres: (images, 2), height and width in pixels before tiling; fixed: None.
            kwargs: Options of LLaVA's method of the same name.
        """
        if image_sizes is None:
            if pixel_values.dim() != 4:
                raise ValueError(
                    "pixel_values must be (images, 3, height, width) without image_sizes, "
                    f"got {tuple(pixel_values.shape)}; pass image_sizes with tiled images"
                )
            return LlavaModel.get_image_features(self, pixel_values, **kwargs)
        if self.config.image_grid_pinpoints is None:
            raise ValueError(
                "image_sizes must be None in the fixed scheme (image_grid_pinpoints=None), "
                f"got {len(image_sizes)}; leave them out or set image_grid_pinpoints"
            )
        return super().get_image_features(pixel_values, image_sizes, **kwargs)

    def get_placeholder_mask(
        self,
        input_ids: torch.Tensor | None,
        inputs_embeds: torch.Tensor,  # noqa: ARG002  # the parent's signature
        image_features: torch.Tensor,
    ) -> torch.Tensor:
        """Return where image features go, (B, S, 1), after checking that there is one image token for each."""
        if input_ids is None:
            raise ValueError("images need input_ids, got inputs_embeds; give the tokens")
        mask_BS = input_ids == self.config.image_token_id
        num_tokens = int(mask_BS.sum())
        if num_tokens != len(image_features):
            raise ValueError(
                f"the prompt must hold one image token (id {self.config.image_token_id}) for each image feature, "
                f"got {num_tokens} tokens and {len(image_features)} features; "
                "build the inputs with this model's processor, or pass as many images as the prompt names"
            )
        return mask_BS[..., None]

    def forward(
        self, input_ids: torch.Tensor | None = None, pixel_values: torch.Tensor | None = None, **kwargs: Any
    ) -> Any:
        """Return the decoder's last hidden states; arguments as `MoEVLMForConditionalGeneration.forward`."""
        # generate() of newer transformers encodes the images first and passes their features instead.
        has_images = pixel_values is not None or bool(kwargs.get("mm_encoder_outputs"))
        if has_images and input_ids is not None and self.language_model.routing_profile.is_biased:
            kwargs["vision_mask_BS"] = input_ids == self.config.image_token_id
        return super().forward(input_ids, pixel_values, **kwargs)


class MoEVLMForConditionalGeneration(LlavaNextForConditionalGeneration):
    """The whole model with its output head.

    Its forward is LLaVA-NeXT's: input_ids, attention_mask, position_ids, past_key_values, pixel_values, image_sizes,
    inputs_embeds, labels, logits_to_keep, use_cache.
    """

    config: MoEVLMConfig  # type: ignore[assignment]  # has the fields of LlavaNextConfig that the parent reads

    def __init__(self, config: MoEVLMConfig) -> None:
        PreTrainedModel.__init__(self, config)  # the parent's would build LLaVA-NeXT's inner model
        self.model = MoEVLMModel(config)  # type: ignore[arg-type]  # the inherited signature
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.post_init()


MoEVLM = MoEVLMForConditionalGeneration
