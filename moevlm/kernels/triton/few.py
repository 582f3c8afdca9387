"""Experts on few tokens (decode): each hit expert's weights are read once, and nothing is sorted.

A program looks through all (token, expert) pairs for those of its expert: a few hundred ids, against the hundreds of
thousands of weights that it then reads. No sort, no counter, no table stands before the first product, every shape is
known on the host, and the same launches serve any routing: a CUDA graph replays them.

Shapes: T tokens, K experts a token, P = T * K pairs in the order of tokens, H hidden size, E experts, I width of one
expert, M rows of a tile, N its columns.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators, allow-untyped-defs, allow-incomplete-defs

import torch
import triton
import triton.language as tl

from moevlm.kernels.tilings import Tile
from moevlm.kernels.triton.combine import combine
from moevlm.kernels.triton.tiles import down_tile, gate_up_tile, store_tile


@triton.jit
def _own_pairs(ids_P, candidate, num_pairs, num_experts, BY_PAIR: tl.constexpr, BLOCK_P: tl.constexpr):
    """Return a candidate's expert, and which pairs it serves.

    Candidates are pairs, of which the first of an expert serves all of them, or experts, whichever are fewer.
    """
    pair_P = tl.arange(0, BLOCK_P)
    chosen_P = tl.load(ids_P + pair_P, mask=pair_P < num_pairs, other=num_experts)
    expert = tl.load(ids_P + candidate) if BY_PAIR else candidate
    is_own_P = (chosen_P == expert) & (chosen_P < num_experts)
    if BY_PAIR:
        first = tl.min(tl.where(is_own_P, pair_P, BLOCK_P), axis=0)
        is_own_P = is_own_P & (first == candidate)
    return expert, is_own_P


@triton.jit
def _pairs_of_slots(is_own_P, slot_M, BLOCK_P: tl.constexpr):
    """Return the pair in each slot: slot s holds the s-th own pair."""
    rank_P = tl.cumsum(is_own_P.to(tl.int32), axis=0) - 1
    is_here_MP = is_own_P[None, :] & (rank_P[None, :] == slot_M[:, None])
    return tl.sum(tl.where(is_here_MP, tl.arange(0, BLOCK_P)[None, :], 0), axis=1)


@triton.jit
def _gate_up(
    hidden_TH, stride, gate_up_EWH, ids_P, act_PI, num_pairs, num_experts,
    K: tl.constexpr, H: tl.constexpr, I: tl.constexpr,  # noqa: E741
    BY_PAIR: tl.constexpr, BLOCK_P: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    column_N = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    expert, is_own_P = _own_pairs(ids_P, tl.program_id(1), num_pairs, num_experts, BY_PAIR, BLOCK_P)
    count = tl.sum(is_own_P.to(tl.int32), axis=0)
    for start in range(0, count, BLOCK_M):
        slot_M = start + tl.arange(0, BLOCK_M)
        pair_M = _pairs_of_slots(is_own_P, slot_M, BLOCK_P)
        tile_MN = gate_up_tile(
            hidden_TH, stride, pair_M // K, slot_M < count, gate_up_EWH, expert, column_N,
            H, I, BLOCK_M, BLOCK_N, BLOCK_K,
        )  # fmt: skip
        store_tile(act_PI, pair_M, slot_M < count, I, column_N, I, tile_MN)


@triton.jit
def _down(
    act_PI, down_EIH, ids_P, rows_PH, num_pairs, num_experts,
    H: tl.constexpr, I: tl.constexpr,  # noqa: E741
    BY_PAIR: tl.constexpr, BLOCK_P: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    column_N = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    expert, is_own_P = _own_pairs(ids_P, tl.program_id(1), num_pairs, num_experts, BY_PAIR, BLOCK_P)
    count = tl.sum(is_own_P.to(tl.int32), axis=0)
    for start in range(0, count, BLOCK_M):
        slot_M = start + tl.arange(0, BLOCK_M)
        pair_M = _pairs_of_slots(is_own_P, slot_M, BLOCK_P)
        tile_MN = down_tile(act_PI, pair_M, slot_M < count, down_EIH, expert, column_N, H, I, BLOCK_M, BLOCK_N, BLOCK_K)
        store_tile(rows_PH, pair_M, slot_M < count, H, column_N, H, tile_MN)


def few_experts(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    ids_TK: torch.Tensor,
    weights_TK: torch.Tensor,
    tiles: tuple[Tile, ...],
) -> torch.Tensor:
    """Sum the chosen experts of each token; as `moevlm.kernels.fast.fast_experts`, each row contiguous.

    Allocated beside the output: P x I activations in the tokens' dtype, P x H rows in float32.
    """
    num_experts, width, hidden_size = down_EIH.shape
    num_pairs, top_k = ids_TK.numel(), ids_TK.shape[1]
    act_PI = hidden_TH.new_empty(num_pairs, width)
    rows_PH = hidden_TH.new_empty(num_pairs, hidden_size, dtype=torch.float32)
    search = {"BY_PAIR": num_pairs <= num_experts, "BLOCK_P": max(triton.next_power_of_2(num_pairs), 2)}
    num_candidates = min(num_pairs, num_experts)
    gate_up, down = tiles
    _gate_up[(triton.cdiv(width, gate_up.block_n), num_candidates)](
        hidden_TH, hidden_TH.stride(0), gate_up_EWH, ids_TK, act_PI, num_pairs, num_experts,
        K=top_k, H=hidden_size, I=width, **search, **gate_up.options(),
    )  # fmt: skip
    _down[(triton.cdiv(hidden_size, down.block_n), num_candidates)](
        act_PI, down_EIH, ids_TK, rows_PH, num_pairs, num_experts,
        H=hidden_size, I=width, **search, **down.options(),
    )  # fmt: skip
    output_TH = hidden_TH.new_empty(hidden_TH.shape)
    combine(rows_PH, ids_TK, weights_TK, output_TH, num_experts)
    return output_TH
