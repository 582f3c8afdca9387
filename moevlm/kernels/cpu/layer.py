"""A decoder layer of a decode step as one operator: what its modules call in turn, without their calls.

Shapes: B samples, H hidden size, N query heads, G key-value heads, W head_dim, L tokens that the cache has room for, E
experts or blocks, I width of one, P rows of a routing profile's table.
"""

from typing import NamedTuple

import torch

ALL_EXPERTS = -1


class LayerWeights(NamedTuple):
    """What both kinds of layer have, in the operator's order; contiguous, of one dtype, float32 or bfloat16."""

    input_norm_H: torch.Tensor
    q_weight: torch.Tensor  # (N * W, H)
    k_weight: torch.Tensor  # (G * W, H)
    v_weight: torch.Tensor  # the same
    q_scale_W: torch.Tensor
    k_scale_W: torch.Tensor
    o_weight: torch.Tensor  # (H, N * W)
    ffn_norm_H: torch.Tensor
    gate_up_EWH: torch.Tensor  # (E, 2I, H)
    down_EIH: torch.Tensor


class LayerRouter(NamedTuple):
    """How a layer chooses experts."""

    weight_EH: torch.Tensor
    table_PE: torch.Tensor | None  # of a routing profile; of the weights' dtype or float32
    damping: float  # share of the router's own logits beside it
    top_k: int
    normalises: bool
    num_open: int = ALL_EXPERTS  # the first experts, which alone decoded text may choose


class Place(NamedTuple):
    """Where the new tokens stand."""

    cos: torch.Tensor  # (B, W) in all
    signed_sin: torch.Tensor  # the same, with rotate_half's signs
    slot: int  # of the cache
    is_seen: torch.Tensor | None  # over the cache and the new token, (B, slot + 1), bool; None: all


def decode_layer(
    hidden_BH: torch.Tensor,
    weights: LayerWeights,
    router: LayerRouter | None,
    rows_B: torch.Tensor | None,
    place: Place,
    memory: tuple[torch.Tensor, torch.Tensor],
    *,
    epsilon: float,
    scale: float,
    tier: int,
) -> torch.Tensor:
    """Run a layer on one new token a sample; it has been asked whether the kernels take its tensors.

    Args:
        hidden_BH: Residual stream.
        weights: Of the layer.
        router: None: a dense layer, whose blocks are summed.
        rows_B: Each token's row of the routing profile's table, int64.
        place: Of the tokens.
        memory: Keys and values (B, G, L, W), which take the new ones.
        epsilon: Of all norms.
        scale: Of attention's logits.
        tier: Number of the experts' kernel.

    Returns:
        Residual stream (B, H), as the modules return it: to the bit up to 8 samples.

    Raises:
        RuntimeError: The slot or a row is out of range.
    """
    chosen = router or LayerRouter(None, None, 0.0, 0, normalises=False)  # type: ignore[arg-type]
    table_PE = None if rows_B is None else chosen.table_PE  # as the router's module, which has no bias without rows
    output: torch.Tensor = torch.ops.moevlm.decode_layer(
        hidden_BH,
        list(weights),
        chosen.weight_EH,
        table_PE,
        None if table_PE is None else rows_B,
        place.cos,
        place.signed_sin,
        *memory,
        place.slot,
        place.is_seen,
        epsilon,
        scale,
        chosen.damping,
        chosen.top_k,
        chosen.normalises,
        chosen.num_open,
        tier,
    )
    return output
