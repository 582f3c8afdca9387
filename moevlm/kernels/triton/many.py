"""Experts on many tokens (prefill): pairs sorted by expert, two grouped products, one sum.

Tokens are gathered while the first product loads them, SwiGLU is its epilogue, and the second product scatters its rows
back to the order of tokens. Blocks of rows never cross experts, so an expert's last block may be part empty: with E
experts there are at most P / BLOCK_M + E blocks, and as many are launched. A program finds its expert and rows in the
experts' counts; none of them reaches the host.

Shapes: T tokens, K experts a token, P = T * K pairs, H hidden size, E experts, I width of one expert, M rows of a tile,
N its columns.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators, allow-untyped-defs, allow-incomplete-defs

from typing import NamedTuple

import torch
import triton
import triton.language as tl

from moevlm.kernels.tilings import Tile
from moevlm.kernels.triton.combine import combine
from moevlm.kernels.triton.tiles import down_tile, gate_up_tile, store_tile


class Sorted(NamedTuple):
    """Pairs in the order of experts."""

    pairs_P: torch.Tensor  # positions in the order of tokens; those of other devices last
    counts_E: torch.Tensor  # pairs of each expert


def sort_pairs(ids_TK: torch.Tensor, num_experts: int) -> Sorted:
    """Sort (token, expert) pairs by expert without asking the device for a value.

    Args:
        ids_TK: Expert ids, int64; `num_experts` marks a choice that another device computes.
        num_experts: Experts on this device, below 2^15.
    """
    ids_P = ids_TK.flatten()
    pairs_P = ids_P.short().argsort(stable=True)  # a radix sort: 16 bits take a quarter of the passes of 64
    counts = torch.zeros(num_experts + 1, dtype=torch.int32, device=ids_P.device)
    counts.scatter_add_(0, ids_P, torch.ones_like(ids_P, dtype=torch.int32))
    return Sorted(pairs_P, counts[:num_experts])


@triton.jit
def rows_of(counts_E, block, num_experts, BLOCK_E: tl.constexpr, BLOCK_M: tl.constexpr):
    """Return a block's expert (the number of experts where there is none), its first row and its expert's last + 1."""
    expert_E = tl.arange(0, BLOCK_E)
    count_E = tl.load(counts_E + expert_E, mask=expert_E < num_experts, other=0)
    blocks_E = (count_E + BLOCK_M - 1) // BLOCK_M
    expert = tl.sum((tl.cumsum(blocks_E, axis=0) <= block).to(tl.int32), axis=0)
    is_before_E = expert_E < expert
    start = tl.sum(tl.where(is_before_E, count_E, 0), axis=0)
    end = start + tl.sum(tl.where(expert_E == expert, count_E, 0), axis=0)
    first_block = tl.sum(tl.where(is_before_E, blocks_E, 0), axis=0)
    return expert, start + (block - first_block) * BLOCK_M, end


@triton.jit
def _gate_up(
    hidden_TH, stride, gate_up_EWH, pairs_P, counts_E, act_PI, num_experts,
    K: tl.constexpr, H: tl.constexpr, I: tl.constexpr,  # noqa: E741
    BLOCK_E: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    column_N = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    expert, first, end = rows_of(counts_E, tl.program_id(1), num_experts, BLOCK_E, BLOCK_M)
    if expert < num_experts:
        row_M = first + tl.arange(0, BLOCK_M)
        token_M = tl.load(pairs_P + row_M, mask=row_M < end, other=0) // K
        tile_MN = gate_up_tile(
            hidden_TH, stride, token_M, row_M < end, gate_up_EWH, expert, column_N, H, I, BLOCK_M, BLOCK_N, BLOCK_K
        )
        store_tile(act_PI, row_M, row_M < end, I, column_N, I, tile_MN)


@triton.jit
def _down(
    act_PI, down_EIH, pairs_P, counts_E, rows_PH, num_experts,
    H: tl.constexpr, I: tl.constexpr,  # noqa: E741
    BLOCK_E: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    column_N = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    expert, first, end = rows_of(counts_E, tl.program_id(1), num_experts, BLOCK_E, BLOCK_M)
    if expert < num_experts:
        row_M = first + tl.arange(0, BLOCK_M)
        tile_MN = down_tile(act_PI, row_M, row_M < end, down_EIH, expert, column_N, H, I, BLOCK_M, BLOCK_N, BLOCK_K)
        pair_M = tl.load(pairs_P + row_M, mask=row_M < end, other=0)
        store_tile(rows_PH, pair_M, row_M < end, H, column_N, H, tile_MN)


def many_experts(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    ids_TK: torch.Tensor,
    weights_TK: torch.Tensor,
    tiles: tuple[Tile, ...],
) -> torch.Tensor:
    """Sum the chosen experts of each token; arguments as in `few_experts`.

    Allocated beside the output: P sorted positions, P x I activations and P x H rows in the tokens' dtype.
    """
    num_experts, width, hidden_size = down_EIH.shape
    pairs_P, counts_E = sort_pairs(ids_TK, num_experts)
    num_pairs, block_e = ids_TK.numel(), triton.next_power_of_2(num_experts)
    act_PI, rows_PH = hidden_TH.new_empty(num_pairs, width), hidden_TH.new_empty(num_pairs, hidden_size)
    gate_up, down = tiles
    _gate_up[(triton.cdiv(width, gate_up.block_n), most_blocks(num_pairs, num_experts, gate_up.block_m))](
        hidden_TH, hidden_TH.stride(0), gate_up_EWH, pairs_P, counts_E, act_PI, num_experts,
        K=ids_TK.shape[1], H=hidden_size, I=width, BLOCK_E=block_e, **gate_up.options(),
    )  # fmt: skip
    _down[(triton.cdiv(hidden_size, down.block_n), most_blocks(num_pairs, num_experts, down.block_m))](
        act_PI, down_EIH, pairs_P, counts_E, rows_PH, num_experts,
        H=hidden_size, I=width, BLOCK_E=block_e, **down.options(),
    )  # fmt: skip
    output_TH = hidden_TH.new_empty(hidden_TH.shape)
    combine(rows_PH, ids_TK, weights_TK, output_TH, num_experts)
    return output_TH


def most_blocks(num_pairs: int, num_experts: int, block_m: int) -> int:
    """Return how many blocks of `block_m` rows are enough for any routing: every expert may leave one part empty.

    >>> most_blocks(10, 4, 4), most_blocks(3, 64, 16)  # counts 1, 1, 3, 5 need 1 + 1 + 1 + 2; 3 pairs at most 3
    (5, 3)
    """
    return min(num_pairs, (num_pairs + num_experts * (block_m - 1)) // block_m)
