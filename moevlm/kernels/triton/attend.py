"""Attention of one token a sample over a cache whose length only the device knows, cut along the cache.

A sample has few key-value heads, four at 7b: one program a head would leave most of a GPU idle. So each head's tokens
are dealt out to many programs, and a second launch joins what they found. How many tokens there are is read from the
slot on the device: a CUDA graph replays the same launches for any of them.

Shapes: B samples, N query heads, G key-value heads, R = N / G query heads that share one, L tokens that the cache has
room for, W head_dim, P parts of a cache, C tokens that a program takes at a time.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators, allow-untyped-defs, allow-incomplete-defs

import torch
import triton
import triton.language as tl

PROGRAMS = 264  # wanted: two for each of an H100's 132 multiprocessors
TOKENS = 64  # C; a multiple of what tl.dot takes
LEAST_ROWS = 16  # of tl.dot: query heads are filled up to it
LOG2_E = 1.4426950408889634


@triton.jit
def _attend_part(
    query_BNW, keys_BGLW, values_BGLW, is_seen_BL, slot_1, sums_BNPW, powers_BNP, tops_BNP, L, P, scale,
    N: tl.constexpr, G: tl.constexpr, W: tl.constexpr,
    BLOCK_R: tl.constexpr, BLOCK_W: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    head, part = tl.program_id(0).to(tl.int64), tl.program_id(1)  # head of all samples' B * G
    sample = head // G
    R: tl.constexpr = N // G
    length = tl.load(slot_1) + 1
    tokens_a_part = tl.cdiv(tl.cdiv(length, P), BLOCK_C) * BLOCK_C
    start = part * tokens_a_part
    end = tl.minimum(start + tokens_a_part, length)
    row_R, column_W = tl.arange(0, BLOCK_R), tl.arange(0, BLOCK_W)
    is_column_W = column_W < W
    query_row_R = sample * N + (head % G) * R + row_R
    query_RW = tl.load(
        query_BNW + query_row_R[:, None] * W + column_W[None, :],
        mask=(row_R < R)[:, None] & is_column_W[None, :], other=0.0,
    )  # fmt: skip
    top_R = tl.full((BLOCK_R,), float("-inf"), dtype=tl.float32)
    power_R = tl.zeros((BLOCK_R,), dtype=tl.float32)
    sum_RW = tl.zeros((BLOCK_R, BLOCK_W), dtype=tl.float32)
    for first in range(start, end, BLOCK_C):
        token_C = first + tl.arange(0, BLOCK_C)
        is_seen_C = tl.load(is_seen_BL + sample * L + token_C, mask=token_C < end, other=0) != 0
        mask_CW = is_seen_C[:, None] & is_column_W[None, :]  # what nobody sees may be NaN
        address_CW = (head * L + token_C)[:, None] * W + column_W[None, :]
        key_CW = tl.load(keys_BGLW + address_CW, mask=mask_CW, other=0.0)
        value_CW = tl.load(values_BGLW + address_CW, mask=mask_CW, other=0.0)
        score_RC = tl.dot(query_RW, tl.trans(key_CW), input_precision="ieee") * scale
        score_RC = tl.where(is_seen_C[None, :], score_RC, float("-inf"))
        new_top_R = tl.maximum(top_R, tl.max(score_RC, axis=1))
        base_R = tl.where(new_top_R == float("-inf"), 0.0, new_top_R)  # nothing seen yet
        power_RC = tl.exp2(score_RC - base_R[:, None])
        kept_R = tl.exp2(top_R - base_R)
        power_R = power_R * kept_R + tl.sum(power_RC, axis=1)
        sum_RW = tl.dot(power_RC.to(value_CW.dtype), value_CW, sum_RW * kept_R[:, None], input_precision="ieee")
        top_R = new_top_R
    to_R = query_row_R * P + part
    tl.store(tops_BNP + to_R, top_R, mask=row_R < R)
    tl.store(powers_BNP + to_R, power_R, mask=row_R < R)
    tl.store(
        sums_BNPW + to_R[:, None] * W + column_W[None, :], sum_RW, mask=(row_R < R)[:, None] & is_column_W[None, :]
    )


@triton.jit
def _join_parts(
    sums_BNPW, powers_BNP, tops_BNP, attended_BNW, P,
    W: tl.constexpr, BLOCK_P: tl.constexpr, BLOCK_W: tl.constexpr,
):  # fmt: skip
    head = tl.program_id(0).to(tl.int64)
    part_P, column_W = tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_W)
    is_part_P = part_P < P
    top_P = tl.load(tops_BNP + head * P + part_P, mask=is_part_P, other=float("-inf"))
    power_P = tl.load(powers_BNP + head * P + part_P, mask=is_part_P, other=0.0)
    share_P = tl.exp2(top_P - tl.max(top_P, axis=0))
    sum_PW = tl.load(
        sums_BNPW + (head * P + part_P)[:, None] * W + column_W[None, :],
        mask=is_part_P[:, None] & (column_W < W)[None, :], other=0.0,
    )  # fmt: skip
    attended_W = tl.sum(share_P[:, None] * sum_PW, axis=0) / tl.sum(share_P * power_P, axis=0)
    tl.store(attended_BNW + head * W + column_W, attended_W.to(attended_BNW.dtype.element_ty), mask=column_W < W)


def num_parts(num_heads: int, room: int) -> int:
    """Return how many programs share a head's tokens: enough to fill a GPU, each with some tokens of a full cache.

    Args:
        num_heads: Key-value heads of all samples.
        room: Tokens that the cache has room for.

    >>> num_parts(4, 2048), num_parts(4, 65536), num_parts(256, 2048)
    (32, 66, 2)
    """
    return max(1, min(-(-PROGRAMS // num_heads), -(-room // TOKENS)))


def attend(
    query_BNW: torch.Tensor,
    memory: tuple[torch.Tensor, torch.Tensor],
    is_seen_BL: torch.Tensor,
    slot_1: torch.Tensor,
    *,
    scale: float,
) -> torch.Tensor:
    """Attend from the newest token of each sample to what is cached up to and with its slot.

    Args:
        query_BNW: Queries, contiguous, as all tensors here.
        memory: Keys and values (B, G, L, W), the new ones in them.
        is_seen_BL: True where a cached token is seen, bool; each sample sees its newest one.
        slot_1: Slot of the newest token, int64.
        scale: Of the logits.

    Returns:
        (B, N, W). Cut along the cache as in Flash-Decoding: Dao et al. 2023, pytorch.org/blog/flash-decoding.
    """
    num_samples, num_queries, width = query_BNW.shape
    num_keys, room = memory[0].shape[1:3]
    parts, block_w = num_parts(num_samples * num_keys, room), triton.next_power_of_2(width)
    tops_BNP, powers_BNP = query_BNW.new_empty(2, num_samples, num_queries, parts, dtype=torch.float32)
    sums_BNPW = query_BNW.new_empty(num_samples, num_queries, parts, width, dtype=torch.float32)
    _attend_part[(num_samples * num_keys, parts)](
        query_BNW, *memory, is_seen_BL, slot_1, sums_BNPW, powers_BNP, tops_BNP, room, parts, scale * LOG2_E,
        N=num_queries, G=num_keys, W=width, BLOCK_C=TOKENS, BLOCK_W=max(LEAST_ROWS, block_w),
        BLOCK_R=max(LEAST_ROWS, triton.next_power_of_2(num_queries // num_keys)), num_warps=4, num_stages=3,
    )  # fmt: skip
    attended_BNW = torch.empty_like(query_BNW)
    _join_parts[(num_samples * num_queries,)](
        sums_BNPW, powers_BNP, tops_BNP, attended_BNW, parts,
        W=width, BLOCK_P=triton.next_power_of_2(parts), BLOCK_W=block_w, num_warps=4,
    )  # fmt: skip
    return attended_BNW
