"""A decoder layer: Qwen3's attention, then experts or one dense feed-forward.

Shapes: B samples, S positions, H hidden size, T = B * S tokens.
"""

# transformers' classes carry few annotations.
# mypy: allow-untyped-calls

from typing import Any

import torch
from transformers import Cache
from transformers.modeling_layers import GradientCheckpointingLayer

from moevlm.compat import one_cache
from moevlm.config import MoEVLMTextConfig
from moevlm.model.attention import MoEVLMAttention, RotaryTables
from moevlm.model.feedforward import MoEVLMDenseMLP, MoEVLMSparseMLP
from moevlm.model.norms import MoEVLMRMSNorm
from moevlm.routing.observation import LayerOutput
from moevlm.smoes.modality import mix_scores


class MoEVLMDecoderLayer(GradientCheckpointingLayer):
    """Attention and feed-forward, each on the normalised residual stream."""

    def __init__(self, config: MoEVLMTextConfig, layer_idx: int) -> None:
        super().__init__()
        self.self_attn = MoEVLMAttention(config, layer_idx)
        self.mlp = MoEVLMSparseMLP(config) if config.num_experts else MoEVLMDenseMLP(config)
        self.input_layernorm = MoEVLMRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = MoEVLMRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(
        self,
        hidden_BSH: torch.Tensor,
        rotary: RotaryTables,
        attention_mask: torch.Tensor | None,
        rows_T: torch.Tensor | None,
        is_vision_T: torch.Tensor | None,
        scores_BS: torch.Tensor | None = None,
        is_recorded: bool = False,
        last_only: bool = False,
        cache: Cache | None = None,
        past_key_values: Cache | None = None,
        **kwargs: Any,
    ) -> LayerOutput:
        """Return the residual stream after this layer; with `scores_BS`, attention moves modality scores too.

        With `last_only` it is that of each sample's last position, (B, 1, H); not where anything is recorded.

        The cache comes under the name of the installed transformers, which takes it away while checkpointing.
        """
        cache = one_cache(cache, past_key_values)
        attended, _, gathered_BS = self.self_attn(
            self.input_layernorm(hidden_BSH),
            rotary,
            attention_mask,
            cache,
            scores_BS=scores_BS,
            last_only=last_only,
            **kwargs,
        )
        if last_only:
            rows_T, is_vision_T = (_last(of_T, len(hidden_BSH)) for of_T in (rows_T, is_vision_T))
            hidden_BSH = hidden_BSH[:, -1:]
        if scores_BS is not None:  # a measurement: no gradient flows through it
            scores_BS = mix_scores(scores_BS, gathered_BS, attended.detach(), hidden_BSH.detach())
        hidden_BSH = hidden_BSH + attended
        ffn_input_BSH = self.post_attention_layernorm(hidden_BSH)
        if not is_recorded:
            return LayerOutput(hidden_BSH + self.mlp(ffn_input_BSH, rows_T, is_vision_T))
        assert isinstance(self.mlp, MoEVLMSparseMLP), "a dense model has no routing to record"
        transformed_BSH, routing = self.mlp.route_and_transform(ffn_input_BSH, rows_T, is_vision_T)
        return LayerOutput(hidden_BSH + transformed_BSH, ffn_input_BSH, routing, scores_BS)


def _last(of_T: torch.Tensor | None, num_samples: int) -> torch.Tensor | None:
    """Keep what is known of each sample's last token."""
    return None if of_T is None else of_T.view(num_samples, -1)[:, -1]
