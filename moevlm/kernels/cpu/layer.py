"""The decoder layers of a decode step as one operator: what their modules call in turn, without their calls.

Shapes: B samples, H hidden size, N query heads, G key-value heads, W head_dim, L tokens that the cache has room for, E
experts or blocks, I width of one, P rows of a routing profile's table.
"""

from collections.abc import Sequence
from itertools import chain
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


class RouterSettings(NamedTuple):
    """How experts are chosen by logits."""

    damping: float  # share of the router's own logits beside a routing profile's table
    top_k: int
    normalises: bool
    num_open: int = ALL_EXPERTS  # the first experts, which alone decoded text may choose


class LayerRouter(NamedTuple):
    """A layer's router."""

    weight_EH: torch.Tensor
    table_PE: torch.Tensor | None  # of a routing profile; of the weights' dtype or float32
    how: RouterSettings


class Place(NamedTuple):
    """Where the new tokens stand."""

    cos: torch.Tensor  # (B, W) in all
    signed_sin: torch.Tensor  # the same, with rotate_half's signs
    slot: int  # of the cache
    is_seen: torch.Tensor | None  # over the cache and the new token, (B, slot + 1), bool; None: all


def decode_layers(
    hidden_BH: torch.Tensor,
    weights: Sequence[LayerWeights],
    routers: Sequence[LayerRouter],
    rows_B: torch.Tensor | None,
    place: Place,
    memory: Sequence[tuple[torch.Tensor, torch.Tensor]],
    *,
    epsilon: float,
    scale: float,
    tier: int,
) -> torch.Tensor:
    """Run layers on one new token a sample; it has been asked whether the kernels take their tensors.

    Args:
        hidden_BH: Residual stream.
        weights: Of each layer.
        routers: Of each layer, equal but for their tensors; none: dense layers, whose blocks are summed.
        rows_B: Each token's row of the routing profile's tables, int64.
        place: Of the tokens.
        memory: Each layer's keys and values (B, G, L, W), which take the new ones.
        epsilon: Of all norms.
        scale: Of attention's logits.
        tier: Number of the experts' kernel.

    Returns:
        Residual stream (B, H), as the modules return it: to the bit up to 8 samples.

    Raises:
        RuntimeError: The slot or a row is out of range.
    """
    how = routers[0].how if routers else RouterSettings(0.0, 0, normalises=False)
    # as the router's module, which has no bias without rows
    tables = [] if rows_B is None else [router.table_PE for router in routers if router.table_PE is not None]
    keys, values = zip(*memory, strict=True)
    output: torch.Tensor = torch.ops.moevlm.decode_layers(
        hidden_BH,
        [*chain.from_iterable(weights)],
        [router.weight_EH for router in routers],
        tables,
        rows_B if tables else None,
        place.cos,
        place.signed_sin,
        keys,
        values,
        place.slot,
        place.is_seen,
        epsilon,
        scale,
        *how,
        tier,
    )
    return output
