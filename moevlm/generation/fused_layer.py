"""One decoder layer's tensors and settings as the operator `decode_layers` takes them, as they lie in its modules.

Shapes: B samples, H hidden size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from moevlm.kernels.cpu import ops, step
from moevlm.kernels.cpu.layer import ALL_EXPERTS, LayerRouter, LayerWeights, Place, RouterSettings, decode_layers
from moevlm.model.cache import LayerMemory
from moevlm.model.decoder_layer import MoEVLMDecoderLayer
from moevlm.model.feedforward import MoEVLMSparseMLP
from moevlm.routing.router import LOGIT_DAMPING


@dataclass(frozen=True, kw_only=True)
class FusedLayer:
    """A layer."""

    weights: LayerWeights
    router: LayerRouter | None  # None: a dense layer
    epsilon: float  # of all norms
    scale: float  # of attention's logits
    tier: int  # of the experts' kernels

    @property
    def settings(self) -> tuple[object, ...]:
        """Return what layers of one call of the operator share."""
        router = self.router
        how = None if router is None else (router.how, router.table_PE is None)
        return how, self.epsilon, self.scale, self.tier


def run_layers(
    layers: Sequence[FusedLayer],
    hidden_BH: torch.Tensor,
    place: Place,
    rows_B: torch.Tensor | None,
    memory: Sequence[LayerMemory],
) -> torch.Tensor:
    """Return the residual stream after layers of equal settings; their memory takes the tokens' keys and values."""
    one = layers[0]
    return decode_layers(
        hidden_BH,
        [layer.weights for layer in layers],
        [layer.router for layer in layers if layer.router is not None],
        rows_B, place, memory, epsilon=one.epsilon, scale=one.scale, tier=one.tier,
    )  # fmt: skip


def fuse(layer: MoEVLMDecoderLayer) -> FusedLayer | None:
    """Take a layer's tensors out of its modules, which keep them; None: the operator takes no such layer."""
    attention, mlp = layer.self_attn, layer.mlp
    holder = mlp.experts if isinstance(mlp, MoEVLMSparseMLP) else mlp
    norms = (layer.input_layernorm, attention.q_norm, attention.k_norm, layer.post_attention_layernorm)
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
    router, epsilon = router_of(mlp), layer.input_layernorm.variance_epsilon
    has_biases = any(one.bias is not None for one in (*attention.projections, attention.o_proj))
    if has_biases or {norm.variance_epsilon for norm in norms} != {epsilon} or not _is_taken(weights, router):
        return None
    return FusedLayer(
        weights=weights, router=router, epsilon=epsilon, scale=attention.scaling, tier=len(ops.tiers()) - 1
    )


def router_of(mlp: nn.Module) -> LayerRouter | None:
    """Return how a layer chooses experts; None: it is dense."""
    if not isinstance(mlp, MoEVLMSparseMLP):
        return None
    gate = mlp.gate
    num_open = ALL_EXPERTS if gate.num_text_experts is None else gate.num_text_experts
    how = RouterSettings(LOGIT_DAMPING, gate.top_k, gate.norm_topk_prob, num_open)
    return LayerRouter(gate.weight, gate.bias_table_RE, how)


def _is_taken(weights: LayerWeights, router: LayerRouter | None) -> bool:
    """Tell whether the kernels multiply by these sizes, and the tensors are of one dtype, in one piece.

    A routing profile's table keeps its own precision.
    """
    matrices = [weights.q_weight, weights.k_weight, weights.v_weight, weights.o_weight]
    of_router = [router.weight_EH] if router else []
    dtype, table_PE = weights.down_EIH.dtype, router.table_PE if router else None
    return (
        all(map(step.takes_weight, [*matrices, *of_router]))
        and len(weights.q_scale_W) % step.INPUT_MULTIPLE == 0
        and ops.takes(weights.down_EIH, weights.input_norm_H[None])
        and all(one.dtype == dtype and one.is_contiguous() for one in (*weights, *of_router))
        and (table_PE is None or (table_PE.dtype in (dtype, torch.float32) and table_PE.is_contiguous()))
    )
