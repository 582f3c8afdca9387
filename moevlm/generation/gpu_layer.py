"""One decoder layer of a decode step on a GPU: twelve launches, where its modules make some thirty.

What stands between the products is one launch each, over the tensors as they lie in the modules; products are torch's,
and the feed-forward is the module's own.

Shapes: B samples, H hidden size, D = (N + 2G) * W projected values of N query and G key-value heads of width W, L
tokens that the cache has room for, E experts.
"""

# torch's modules carry few annotations.
# mypy: allow-untyped-calls

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from moevlm.generation.fused_layer import router_of
from moevlm.kernels.cpu.layer import ALL_EXPERTS, LayerRouter
from moevlm.kernels.projections import side_by_side
from moevlm.kernels.triton.attend import attend
from moevlm.kernels.triton.heads import write_heads
from moevlm.kernels.triton.norm import Normed, add_rms_norm
from moevlm.kernels.triton.route import Chosen, route
from moevlm.model.cache import LayerMemory
from moevlm.model.decoder_layer import MoEVLMDecoderLayer
from moevlm.model.feedforward import MoEVLMSparseMLP


class GpuPlace(NamedTuple):
    """Where the new tokens stand; the host knows none of it."""

    tables: tuple[torch.Tensor, torch.Tensor]  # cosines, sines with rotate_half's signs; (B, W) in all
    slot_1: torch.Tensor  # of the cache, int64
    is_seen_BL: torch.Tensor  # over the cache and the new token, bool
    rows_B: torch.Tensor | None  # of the routing profile's tables, int64


class Residual(NamedTuple):
    """The residual stream between two layers: what the last one computed is not added yet."""

    hidden_BH: torch.Tensor
    delta_BH: torch.Tensor | None


@dataclass(frozen=True, kw_only=True)
class GpuLayer:
    """A layer."""

    input_norm_H: torch.Tensor
    qkv_DH: torch.Tensor
    scales: tuple[torch.Tensor, torch.Tensor]  # of queries and of keys, (W,)
    o_weight: torch.Tensor  # (H, N * W)
    ffn_norm_H: torch.Tensor
    feed_forward: nn.Module  # experts, or a dense block
    router: LayerRouter | None  # None: a dense layer
    epsilon: float  # of all norms
    scale: float  # of attention's logits

    def run(self, residual: Residual, place: GpuPlace, memory: LayerMemory) -> Residual:
        """Return the residual stream after the layer; the memory takes the tokens' keys and values."""
        hidden_BH, normal_BH = self.attended(residual, place, memory)
        if self.router is None:
            return Residual(hidden_BH, self.feed_forward(normal_BH))
        chosen = self.routed(F.linear(normal_BH, self.router.weight_EH), place.rows_B)
        return Residual(hidden_BH, self.feed_forward(normal_BH, *chosen))

    def attended(self, residual: Residual, place: GpuPlace, memory: LayerMemory) -> Normed:
        """Return the residual stream after attention, and what the feed-forward reads of it."""
        hidden_BH, normal_BH = add_rms_norm(*residual, self.input_norm_H, self.epsilon)
        projected_BD = F.linear(normal_BH, self.qkv_DH)
        query_BNW = write_heads(projected_BD, self.scales, place.tables, place.slot_1, memory, epsilon=self.epsilon)
        attended_BNW = attend(query_BNW, memory, place.is_seen_BL, place.slot_1, scale=self.scale)
        return add_rms_norm(hidden_BH, F.linear(attended_BNW.flatten(1), self.o_weight), self.ffn_norm_H, self.epsilon)

    def routed(self, logits_BE: torch.Tensor, rows_B: torch.Tensor | None) -> Chosen:
        """Choose experts."""
        router = self.router
        assert router is not None, "a dense layer routes nothing"
        how = router.how if router.how.num_open != ALL_EXPERTS else router.how._replace(num_open=logits_BE.shape[1])
        steering = None if router.table_PE is None or rows_B is None else (router.table_PE, rows_B)
        return route(logits_BE, steering, **how._asdict())


def gpu_layer(layer: MoEVLMDecoderLayer) -> GpuLayer | None:
    """Take a layer's tensors out of its modules, which keep them; None: the kernels take no such layer."""
    attention, mlp = layer.self_attn, layer.mlp
    norms = (layer.input_layernorm, attention.q_norm, attention.k_norm, layer.post_attention_layernorm)
    qkv_DH, epsilon = side_by_side(attention.projections), layer.input_layernorm.variance_epsilon
    has_biases = any(one.bias is not None for one in (*attention.projections, attention.o_proj))
    if qkv_DH is None or has_biases or {norm.variance_epsilon for norm in norms} != {epsilon}:
        return None
    return GpuLayer(
        input_norm_H=layer.input_layernorm.weight,
        qkv_DH=qkv_DH,
        scales=(attention.q_norm.weight, attention.k_norm.weight),
        o_weight=attention.o_proj.weight,
        ffn_norm_H=layer.post_attention_layernorm.weight,
        feed_forward=mlp.experts if isinstance(mlp, MoEVLMSparseMLP) else mlp,
        router=router_of(mlp),
        epsilon=epsilon,
        scale=attention.scaling,
    )
