"""The dense twin's first half: every token through every block of gate and up, SwiGLU in the epilogue.

The stored blocks alternate gate and up, so a tile takes both of the same columns: what torch would write and read
again, 2F values a token, stays in registers. The second half is one plain product (F x H): torch's.

Shapes: T tokens, H hidden size, E blocks, I width of one, F = E * I, M rows of a tile, N its columns.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators, allow-untyped-defs, allow-incomplete-defs

import torch
import triton
import triton.language as tl

from moevlm.kernels.tilings import Tile
from moevlm.kernels.triton.tiles import gate_up_tile, store_tile

GROUP = 16  # blocks of rows that go through the weights together, and so find them in the L2 cache


@triton.jit
def _gate_up(
    hidden_TH, stride, gate_up_EWH, act_TF, num_tokens, num_blocks,
    H: tl.constexpr, I: tl.constexpr,  # noqa: E741
    ROWS_TOGETHER: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    tiles_a_block = tl.cdiv(I, BLOCK_N)
    size_m, size_n = tl.cdiv(num_tokens, BLOCK_M), num_blocks * tiles_a_block
    program = tl.program_id(0)
    m, n = tl.swizzle2d(program // size_n, program % size_n, size_m, size_n, ROWS_TOGETHER)
    block = n // tiles_a_block
    row_M = m * BLOCK_M + tl.arange(0, BLOCK_M)
    column_N = (n % tiles_a_block) * BLOCK_N + tl.arange(0, BLOCK_N)
    is_row_M = row_M < num_tokens
    tile_MN = gate_up_tile(
        hidden_TH, stride, row_M, is_row_M, gate_up_EWH, block, column_N, H, I, BLOCK_M, BLOCK_N, BLOCK_K
    )
    store_tile(act_TF + block * I, row_M, is_row_M, num_blocks * I, column_N, I, tile_MN)


def fused_dense(
    gate_up_EWH: torch.Tensor, down_EIH: torch.Tensor, hidden_TH: torch.Tensor, tiles: tuple[Tile, ...]
) -> torch.Tensor:
    """Sum all blocks of an MoE's storage with weight 1.

    Allocated beside the output: T x F activations in the tokens' dtype.
    """
    num_blocks, width, hidden_size = down_EIH.shape
    num_tokens = hidden_TH.shape[0]
    (tile,) = tiles
    act_TF = hidden_TH.new_empty(num_tokens, num_blocks * width)
    grid = (triton.cdiv(num_tokens, tile.block_m) * num_blocks * triton.cdiv(width, tile.block_n),)
    _gate_up[grid](
        hidden_TH, hidden_TH.stride(0), gate_up_EWH, act_TF, num_tokens, num_blocks,
        H=hidden_size, I=width, ROWS_TOGETHER=GROUP, **tile.options(),
    )  # fmt: skip
    return act_TF @ down_EIH.view(-1, hidden_size)
