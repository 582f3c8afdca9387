"""A router's choice behind its product: a routing profile's bias, softmax, top K and their weights in one launch.

Shapes: T tokens, E experts, K experts a token, P rows of a routing profile's table.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators, allow-untyped-defs, allow-incomplete-defs

from typing import NamedTuple

import torch
import triton
import triton.language as tl


class Chosen(NamedTuple):
    """Each token's experts, (T, K)."""

    ids_TK: torch.Tensor  # int64
    weights_TK: torch.Tensor  # in the logits' dtype


@triton.jit
def _route(
    logits_TE, table_PE, rows_T, ids_TK, weights_TK, damping,
    E: tl.constexpr, K: tl.constexpr, NUM_OPEN: tl.constexpr, IS_BIASED: tl.constexpr, NORMALISES: tl.constexpr,
    BLOCK_E: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    expert_E, choice_K = tl.arange(0, BLOCK_E), tl.arange(0, BLOCK_K)
    logit_E = tl.load(logits_TE + token * E + expert_E, mask=expert_E < E, other=0.0).to(tl.float32)
    if IS_BIASED:
        row = tl.load(rows_T + token)
        bias_E = tl.load(table_PE + row * E + expert_E, mask=expert_E < E, other=0.0)
        logit_E = (bias_E.to(tl.float32) + damping * logit_E).to(bias_E.dtype).to(tl.float32)  # torch's sum is in that
    logit_E = tl.where(expert_E < NUM_OPEN, logit_E, float("-inf"))
    power_E = tl.exp(logit_E - tl.max(logit_E, axis=0))
    share_E = power_E / tl.sum(power_E, axis=0)
    # NaN ranks first, as in torch.topk, and reaches its token alone; what is no expert ranks last
    rank_E = tl.where(share_E == share_E, share_E, 2.0)
    rank_E = tl.where(expert_E < E, rank_E, -1.0)
    id_K = tl.zeros((BLOCK_K,), dtype=tl.int32)
    weight_K = tl.zeros((BLOCK_K,), dtype=tl.float32)
    for k in tl.static_range(K):
        best = tl.argmax(rank_E, axis=0)
        share = tl.sum(tl.where(expert_E == best, share_E, 0.0), axis=0)
        id_K = tl.where(choice_K == k, best, id_K)
        weight_K = tl.where(choice_K == k, share, weight_K)
        rank_E = tl.where(expert_E == best, -1.0, rank_E)
    if NORMALISES:
        weight_K = weight_K / tl.sum(weight_K, axis=0)
    tl.store(ids_TK + token * K + choice_K, id_K.to(tl.int64), mask=choice_K < K)
    tl.store(weights_TK + token * K + choice_K, weight_K.to(weights_TK.dtype.element_ty), mask=choice_K < K)


def route(
    logits_TE: torch.Tensor,
    steering: tuple[torch.Tensor, torch.Tensor] | None,
    *,
    damping: float,
    top_k: int,
    normalises: bool,
    num_open: int,
) -> Chosen:
    """Choose each token's experts by a softmax in float32 over all, as `moevlm.routing.router` does.

    Args:
        logits_TE: The router's product, contiguous, as all tensors here.
        steering: A table (P, E) and each token's row of it (T,), int64; logits are then row + damping * logits.
        damping: Share of the router's own logits.
        top_k: K.
        normalises: Whether a token's weights sum to 1.
        num_open: The first experts, which alone these tokens may choose.
    """
    num_tokens, num_experts = logits_TE.shape
    ids_TK = logits_TE.new_empty(num_tokens, top_k, dtype=torch.int64)
    weights_TK = logits_TE.new_empty(num_tokens, top_k)
    table_PE, rows_T = (logits_TE, ids_TK) if steering is None else steering
    _route[(num_tokens,)](
        logits_TE, table_PE, rows_T, ids_TK, weights_TK, damping,
        E=num_experts, K=top_k, NUM_OPEN=num_open, IS_BIASED=steering is not None, NORMALISES=normalises,
        BLOCK_E=triton.next_power_of_2(num_experts), BLOCK_K=triton.next_power_of_2(top_k), num_warps=1,
    )  # fmt: skip
    return Chosen(ids_TK, weights_TK)
