"""Heads of one new token a sample: queries and keys normalised and rotated, keys and values written to the cache.

Shapes: B samples, N query heads, G key-value heads, W head_dim, L tokens that the cache has room for.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators, allow-untyped-defs, allow-incomplete-defs

import torch
import triton
import triton.language as tl


@triton.jit
def _write_heads(
    projected_BD, q_scale_W, k_scale_W, cos_BW, signed_sin_BW, slot_1, query_BNW, keys_BGLW, values_BGLW, L, epsilon,
    N: tl.constexpr, G: tl.constexpr, W: tl.constexpr, BLOCK_W: tl.constexpr,
):  # fmt: skip
    sample, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    column_W = tl.arange(0, BLOCK_W)
    is_column_W = column_W < W
    head_W = projected_BD + (sample * (N + 2 * G) + head) * W
    value_W = tl.load(head_W + column_W, mask=is_column_W, other=0.0)
    slot = tl.load(slot_1)
    if head >= N + G:
        row = (sample * G + head - N - G) * L + slot
        tl.store(values_BGLW + row * W + column_W, value_W, mask=is_column_W)
    else:
        other_W = (column_W + W // 2) % W  # rotate_half's partner; its sign is in the table
        is_query = head < N
        if is_query:
            scale_W = q_scale_W
            to_W = query_BNW + (sample * N + head) * W
        else:
            scale_W = k_scale_W
            to_W = keys_BGLW + ((sample * G + head - N) * L + slot) * W
        first_W = value_W.to(tl.float32)
        inverse = tl.rsqrt(tl.sum(first_W * first_W, axis=0) / W + epsilon)
        first_W *= tl.load(scale_W + column_W, mask=is_column_W, other=0.0).to(tl.float32)
        second_W = tl.load(head_W + other_W).to(tl.float32) * tl.load(scale_W + other_W).to(tl.float32)
        cos_W = tl.load(cos_BW + sample * W + column_W, mask=is_column_W, other=0.0).to(tl.float32)
        sin_W = tl.load(signed_sin_BW + sample * W + column_W, mask=is_column_W, other=0.0).to(tl.float32)
        rotated_W = inverse * (first_W * cos_W + second_W * sin_W)
        tl.store(to_W + column_W, rotated_W.to(query_BNW.dtype.element_ty), mask=is_column_W)


def write_heads(
    projected_BD: torch.Tensor,
    scales: tuple[torch.Tensor, torch.Tensor],
    tables: tuple[torch.Tensor, torch.Tensor],
    slot_1: torch.Tensor,
    memory: tuple[torch.Tensor, torch.Tensor],
    *,
    epsilon: float,
) -> torch.Tensor:
    """Normalise and rotate the heads of new tokens, and put their keys and values into the cache.

    Args:
        projected_BD: Query, key and value heads beside each other, (B, (N + 2G) * W), contiguous, as all tensors here.
        scales: Of queries and of keys, (W,).
        tables: Cosines and sines, the latter with rotate_half's signs, (B, W) in all.
        slot_1: Where the tokens go in the cache, int64: a number that the host need not know.
        memory: Keys and values (B, G, L, W).
        epsilon: Of the norm.

    Returns:
        Queries (B, N, W). Rotary position embedding: Su et al. 2021, arXiv:2104.09864; each value is rounded once.
    """
    num_samples, num_keys, length, width = memory[0].shape
    num_queries = projected_BD.shape[1] // width - 2 * num_keys
    query_BNW = projected_BD.new_empty(num_samples, num_queries, width)
    _write_heads[(num_samples, num_queries + 2 * num_keys)](
        projected_BD, *scales, *tables, slot_1, query_BNW, *memory, length, epsilon,
        N=num_queries, G=num_keys, W=width, BLOCK_W=triton.next_power_of_2(width), num_warps=1,
    )  # fmt: skip
    return query_BNW
