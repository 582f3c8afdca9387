"""The decoder: what its layers share, one after another, and what transformers asks of a model.

Shapes: B samples, S positions, H hidden size, T = B * S tokens.
"""

# transformers' methods and decorators carry no annotations.
# mypy: allow-untyped-calls, allow-untyped-decorators

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, cast

import torch
from torch import nn
from transformers import Cache, DynamicCache
from transformers import initialization as init
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import MoeModelOutputWithPast
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeRotaryEmbedding
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from moevlm.compat import CACHE, check_arguments, one_cache
from moevlm.config import MoEVLMTextConfig
from moevlm.kernels.best_backend import BestExperts
from moevlm.kernels.projections import lay_side_by_side
from moevlm.model.attention import MoEVLMAttention, check_cache, rotary_tables
from moevlm.model.batch_part import BatchPart
from moevlm.model.decoder_layer import MoEVLMDecoderLayer
from moevlm.model.feedforward import MoEVLMDenseMLP, MoEVLMExperts, MoEVLMSparseMLP
from moevlm.model.norms import MoEVLMRMSNorm
from moevlm.routing.observation import LayerRouting, Tokens, check_is_output, describe_tokens
from moevlm.routing.profiles import RoutingProfile, bias_rows
from moevlm.routing.router import MoEVLMRouter
from moevlm.smoes.binning import ExpertBins
from moevlm.smoes.modality import GaussianModality, hard_scores

LAST_IS_ENOUGH = "last_is_enough"  # attribute of a hook that is content with the last position of a prompt


class MoEVLMTextModel(BestExperts):
    """Decoder without its head."""

    config: MoEVLMTextConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["MoEVLMDecoderLayer"]  # noqa: RUF012  # transformers declares an instance attribute
    _skip_keys_device_placement = ["cache", "past_key_values"]  # noqa: RUF012  # the same
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {  # noqa: RUF012  # the same
        "router_logits": OutputRecorder(MoEVLMRouter, index=0),
        "hidden_states": MoEVLMDecoderLayer,
        "attentions": OutputRecorder(MoEVLMAttention, index=1),
    }

    def __init__(self, config: MoEVLMTextConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(MoEVLMDecoderLayer(config, index) for index in range(config.num_hidden_layers))
        self.norm = MoEVLMRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = Qwen3MoeRotaryEmbedding(config)  # type: ignore[arg-type]  # reads shared fields only
        self.routing_profile = RoutingProfile()
        self.batch_part = BatchPart()
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
        elif isinstance(module, GaussianModality | ExpertBins):
            module.reset()

    @property
    def reads_modality(self) -> bool:
        """Tell whether routing, or where a token is at home, depends on which tokens are image features."""
        by_modality = self.config.num_text_experts is not None or self.batch_part.at_home is not None
        return by_modality or self.routing_profile.is_biased

    def join_projections(self) -> None:
        """Lay the q, k and v weights of each layer side by side, where one product serves all three; in place."""
        for layer in self.layers:
            lay_side_by_side(cast(MoEVLMDecoderLayer, layer).self_attn.projections)

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        vision_mask_BS: torch.Tensor | None = None,
        routing_record: list[LayerRouting] | None = None,
        past_key_values: Cache | None = None,
        last_only: bool = False,
        **kwargs: Any,
    ) -> MoeModelOutputWithPast:
        """Return the last hidden states and the cache.

        Args:
            input_ids: Tokens (B, S), int64; this or `inputs_embeds`.
            attention_mask: 1 for a token, 0 for padding, (B, cached + S); None = no padding.
            position_ids: Positions (B, S); None counts on from the cache.
            cache: Cache to extend.
            inputs_embeds: Embeddings (B, S, H).
            use_cache: Whether to make a cache where none is given.
            vision_mask_BS: True where an embedding is an image feature; None = all text.
            routing_record: Takes one entry a layer: how it routed, and the tokens' modality scores there.
            past_key_values: The cache, as transformers called it before 5.24.
            last_only: Whether the caller reads the last position alone. The last layer then runs for it alone, and the
                hidden states are (B, 1, H), unless something else sees that layer: a record, a hook, another device.
            kwargs: transformers' options of any model: what to return beside, and how attention runs.

        Raises:
            TypeError: An argument is unknown.
            ValueError: Tokens and embeddings are both given or neither, the cache is given twice, routing is to be
                recorded of a dense model, or the cache was begun without the modality scores that this call carries,
                or with them.
        """
        check_arguments(type(self).forward, kwargs)
        cache = one_cache(cache, past_key_values)
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give one of input_ids and inputs_embeds, got both or neither; leave one out")
        is_scored = self._carries_scores(cache, is_recorded=routing_record is not None)
        hidden_BSH = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if use_cache and cache is None:
            cache = DynamicCache(config=self.config)
        if position_ids is None:
            start = cache.get_seq_length() if cache is not None else 0
            position_ids = torch.arange(start, start + hidden_BSH.shape[1], device=hidden_BSH.device)[None]
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=hidden_BSH,
            attention_mask=attention_mask,
            position_ids=position_ids,
            **{CACHE: cache},
        )
        layer_inputs = {
            "rotary": rotary_tables(*self.rotary_emb(hidden_BSH, position_ids)),
            "attention_mask": mask,
            CACHE: cache,
            **self._router_inputs(position_ids.expand(hidden_BSH.shape[:2]), vision_mask_BS),
            **kwargs,
        }
        if routing_record is None:
            short = self._short_layer() if last_only and hidden_BSH.shape[1] > 1 else None
            for layer in self.layers:
                seen = layer(hidden_BSH, **layer_inputs, last_only=layer is short)
                check_is_output(seen)
                hidden_BSH = seen.hidden_BSH
        else:
            tokens = describe_tokens(hidden_BSH, vision_mask_BS, attention_mask)
            hidden_BSH = self._recorded(hidden_BSH, layer_inputs, tokens, routing_record, is_scored=is_scored)
        kept: dict[str, Any] = {CACHE: cache}
        return MoeModelOutputWithPast(last_hidden_state=self.norm(hidden_BSH), **kept)

    def _short_layer(self) -> nn.Module | None:
        """Return the last layer, of which only the last position is read; None where something else sees it."""
        part = self.batch_part
        if not self.layers or torch.compiler.is_compiling() or part.step != 1 or part.partner is not None:
            return None
        hooks = chain(self._forward_hooks.values(), *map(_hooks_of, [*self.layers[-1].modules(), self.norm]))
        return self.layers[-1] if all(getattr(hook, LAST_IS_ENOUGH, False) for hook in hooks) else None

    def _recorded(
        self,
        hidden_BSH: torch.Tensor,
        layer_inputs: Mapping[str, Any],
        tokens: Tokens,
        record: list[LayerRouting],
        *,
        is_scored: bool,
    ) -> torch.Tensor:
        """Run the layers and record how each routed; where attention moves modality scores, they follow."""
        scores_BS = hard_scores(tokens.is_vision_BS)
        for layer in self.layers:
            seen = layer(hidden_BSH, **layer_inputs, scores_BS=scores_BS if is_scored else None, is_recorded=True)
            check_is_output(seen)
            hidden_BSH = seen.hidden_BSH
            record.append(cast(MoEVLMSparseMLP, layer.mlp).observe(seen, scores_BS, tokens))
            scores_BS = scores_BS if seen.scores_BS is None else seen.scores_BS
        return hidden_BSH

    def _router_inputs(
        self, position_BS: torch.Tensor, vision_mask_BS: torch.Tensor | None
    ) -> dict[str, torch.Tensor | None]:
        """Return what routers read beside hidden states: rows of the profile's tables, and modalities."""
        rows_T = is_vision_T = None
        if self.routing_profile.is_biased:
            rows_T = bias_rows(position_BS, vision_mask_BS, self.batch_part.samples(len(position_BS)))
        if self.config.num_text_experts is not None and vision_mask_BS is not None:
            is_vision_T = vision_mask_BS.flatten()
        return {"rows_T": rows_T, "is_vision_T": is_vision_T}

    def _carries_scores(self, cache: Cache | None, *, is_recorded: bool) -> bool:
        """Tell whether attention moves scores in this call; refuse what it cannot be asked for."""
        if is_recorded and not self.config.num_experts:
            raise ValueError("recording routing needs an MoE, got a dense model (num_experts=0); leave it out")
        is_scored = is_recorded and self.config.modality_scores == "attention"
        check_cache(cache, self.config.head_dim, is_scored=is_scored)
        return is_scored


def _hooks_of(module: nn.Module) -> Iterator[Any]:
    return chain(module._forward_hooks.values(), module._forward_pre_hooks.values())
