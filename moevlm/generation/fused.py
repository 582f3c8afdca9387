"""A decode step whose layers are one operator each, where a model's modules do no more than their tensors say.

What the modules cost beside their kernels is half of a small model's step. Nothing here decides anything: it is taken
where it returns what the modules return, and left wherever a hook, an adapter, a gradient, another backend or another
device asks for the modules.

Shapes: B samples, H hidden size, V vocabulary.
"""

# torch's and transformers' modules carry few annotations.
# mypy: allow-untyped-calls

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from transformers.activations import ACT2FN
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeRMSNorm, Qwen3MoeRotaryEmbedding

from moevlm.generation.state import DecodeState
from moevlm.kernels.backends import OURS
from moevlm.kernels.best_backend import AUTO
from moevlm.kernels.cpu import ops, step
from moevlm.kernels.cpu.build import load
from moevlm.kernels.cpu.layer import ALL_EXPERTS, LayerRouter, LayerWeights, Place, decode_layer
from moevlm.kernels.fast import HIDDEN_ACT
from moevlm.kernels.projections import Projection, is_plain
from moevlm.model.attention import MoEVLMAttention, rotary_tables
from moevlm.model.cache import PreallocatedLayer
from moevlm.model.decoder_layer import MoEVLMDecoderLayer
from moevlm.model.feedforward import MoEVLMDenseMLP, MoEVLMExperts, MoEVLMSparseMLP
from moevlm.model.modeling import MoEVLMTextModel
from moevlm.model.norms import MoEVLMRMSNorm
from moevlm.model.vision_language import MoEVLMForConditionalGeneration
from moevlm.routing.profiles import bias_rows
from moevlm.routing.router import LOGIT_DAMPING, MoEVLMRouter

PLAIN = (  # kinds of which the operator, or a call of the module itself, does the same
    MoEVLMTextModel, MoEVLMDecoderLayer, MoEVLMAttention, MoEVLMSparseMLP, MoEVLMExperts, MoEVLMRouter, MoEVLMDenseMLP,
    MoEVLMRMSNorm, Qwen3MoeRMSNorm, Qwen3MoeRotaryEmbedding, Projection, nn.Linear, nn.Embedding, nn.ModuleList,
    type(ACT2FN[HIDDEN_ACT]),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FusedLayer:
    """One layer's tensors, as they lie in its modules."""

    weights: LayerWeights
    router: LayerRouter | None
    scale: float


@dataclass(frozen=True, kw_only=True)
class FusedSteps:
    """Decode steps of a model, whose modules were found plain, over the cache of a state."""

    model: MoEVLMForConditionalGeneration
    layers: Sequence[FusedLayer]
    cache: Sequence[PreallocatedLayer]
    mask_BS: torch.Tensor | None

    def logits(self, token_B1: torch.Tensor, position_B1: torch.Tensor, slot: int) -> torch.Tensor:
        """Feed a token a sample, whose keys and values go to `slot`; return the logits (B, V)."""
        text_model, tier = self.model.model.language_model, len(ops.tiers()) - 1
        hidden_B1H = text_model.embed_tokens(token_B1)
        cos, signed_sin = rotary_tables(*text_model.rotary_emb(hidden_B1H, position_B1))
        is_seen = None if self.mask_BS is None else self.mask_BS[:, : slot + 1].contiguous()
        place, rows_B = Place(cos, signed_sin, slot, is_seen), self._rows(text_model, position_B1)
        hidden_BH, epsilon = hidden_B1H[:, 0], text_model.config.rms_norm_eps
        for layer, cached in zip(self.layers, self.cache, strict=True):
            hidden_BH = decode_layer(
                hidden_BH, layer.weights, layer.router, rows_B, place, cached.memory,
                epsilon=epsilon, scale=layer.scale, tier=tier,
            )  # fmt: skip
        logits_BV: torch.Tensor = self.model.lm_head(text_model.norm(hidden_BH))
        return logits_BV

    def show(self, length: int) -> None:
        """Make the first `length` tokens the cache's content, as the modules would have."""
        for cached in self.cache:
            cached.show(length)

    @staticmethod
    def _rows(text_model: MoEVLMTextModel, position_B1: torch.Tensor) -> torch.Tensor | None:
        if not text_model.routing_profile.is_biased:
            return None
        return bias_rows(position_B1, samples=text_model.batch_part.samples(len(position_B1)))


def fused_steps(model: MoEVLMForConditionalGeneration, state: DecodeState) -> FusedSteps | None:
    """Return how a model decodes from a state without its layers' modules; None: the modules must be called."""
    text_model, cache = model.model.language_model, list(_plain_cache(state))
    if not _is_plain_model(model, len(state.next_token_B1)) or len(cache) != len(text_model.layers):
        return None
    layers = [_fused(cast(MoEVLMDecoderLayer, layer)) for layer in text_model.layers]
    mask_BS = state.attention_mask_BS
    if not all(map(_is_taken, layers)) or (mask_BS is not None and mask_BS.dtype != torch.bool):
        return None
    return FusedSteps(model=model, layers=layers, cache=cache, mask_BS=mask_BS)


def _plain_cache(state: DecodeState) -> Iterator[PreallocatedLayer]:
    for layer in state.cache.layers:
        if isinstance(layer, PreallocatedLayer) and all(states.is_contiguous() for states in layer.memory):
            yield layer


def _is_plain_model(model: MoEVLMForConditionalGeneration, num_samples: int) -> bool:
    """Tell whether nothing but the modules' own tensors and configuration says what a step does."""
    text_model, config = model.model.language_model, model.config.text_config
    return (
        model.device.type == "cpu"
        and model.dtype in step.DTYPES
        and not torch.is_grad_enabled()
        and not text_model.training
        and not text_model.gradient_checkpointing
        and config._attn_implementation == "sdpa"
        and config._experts_implementation in (None, AUTO, OURS)
        and config.hidden_act == HIDDEN_ACT
        and text_model.batch_part.at_home is None
        and all(type(module) in PLAIN and is_plain(module, type(module)) for module in text_model.modules())
        and is_plain(model.lm_head, type(model.lm_head))
        and load() is None
        and _is_best(model, num_samples)
    )


def _is_best(model: MoEVLMForConditionalGeneration, num_samples: int) -> bool:
    config = model.config.text_config
    pairs = num_samples * config.num_experts_per_tok / config.num_experts if config.num_experts else num_samples
    return ops.is_best(model.dtype, pairs)


def _fused(layer: MoEVLMDecoderLayer) -> FusedLayer:
    attention, mlp = layer.self_attn, layer.mlp
    holder = mlp.experts if isinstance(mlp, MoEVLMSparseMLP) else mlp
    weights = LayerWeights(
        layer.input_layernorm.weight,
        attention.q_proj.weight,
        attention.k_proj.weight,
        attention.v_proj.weight,
        attention.q_norm.weight,
        attention.k_norm.weight,
        attention.o_proj.weight,
        layer.post_attention_layernorm.weight,
        holder.gate_up_proj,
        holder.down,
    )
    return FusedLayer(weights=weights, router=_router(mlp), scale=attention.scaling)


def _router(mlp: nn.Module) -> LayerRouter | None:
    if not isinstance(mlp, MoEVLMSparseMLP):
        return None
    gate = mlp.gate
    num_open = ALL_EXPERTS if gate.num_text_experts is None else gate.num_text_experts
    return LayerRouter(gate.weight, gate.bias_table_RE, LOGIT_DAMPING, gate.top_k, gate.norm_topk_prob, num_open)


def _is_taken(layer: FusedLayer) -> bool:
    """Tell whether the kernels multiply by these sizes, and the tensors are of one dtype, in one piece."""
    weights, router = layer.weights, layer.router
    matrices = [weights.q_weight, weights.k_weight, weights.v_weight, weights.o_weight]
    tensors = [*weights, *(one for one in (router and router.weight_EH, router and router.table_PE) if one is not None)]
    return (
        all(map(step.takes_weight, [*matrices, *([router.weight_EH] if router else [])]))
        and len(weights.q_scale_W) % step.INPUT_MULTIPLE == 0
        and ops.takes(weights.down_EIH, weights.input_norm_H[None])
        and all(one.dtype == weights.down_EIH.dtype and one.is_contiguous() for one in tensors)
    )
