"""What every kernel here is made of: one tile of act(gate) * up, and one of the down projection, summed in float32.

Shapes: M rows, N columns of the tile, K summed columns; H hidden size, I width of one expert, W = 2I.
The stored layout is read as it is: gate_up (E, 2I, H) has a tile's rows along H, down (E, I, H) its columns.
"""

# Triton's decorators and its language carry no annotations.
# mypy: allow-untyped-calls, allow-untyped-decorators, allow-untyped-defs, allow-incomplete-defs

import triton
import triton.language as tl


@triton.jit
def load_tile(pointer, row_R, is_row_R, stride, column_C, num_columns, IS_EVEN: tl.constexpr):
    """Load rows and columns, 0 where there are none; without a mask of columns where tiles divide them."""
    address_RC = pointer + row_R[:, None] * stride + column_C[None, :]
    if IS_EVEN:
        tile_RC = tl.load(address_RC, mask=is_row_R[:, None], other=0.0)
    else:
        tile_RC = tl.load(address_RC, mask=is_row_R[:, None] & (column_C < num_columns)[None, :], other=0.0)
    return tile_RC


@triton.jit
def gate_up_tile(
    hidden_TH,
    stride,
    token_M,
    is_row_M,
    gate_up_EWH,
    expert,
    column_N,
    H: tl.constexpr,
    I: tl.constexpr,  # noqa: E741
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Return silu(x gate^T) * (x up^T) of some tokens and some columns of one expert, in float32.

    Tokens are gathered while they are loaded. Products are exact in float32 ("ieee"): no TF32.
    """
    IS_EVEN: tl.constexpr = H % BLOCK_K == 0
    weights_WH = gate_up_EWH + expert.to(tl.int64) * (2 * I * H)
    is_column_N = column_N < I
    gate_MN = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    up_MN = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for start in range(0, H, BLOCK_K):
        k_K = start + tl.arange(0, BLOCK_K)
        hidden_MK = load_tile(hidden_TH, token_M, is_row_M, stride, k_K, H, IS_EVEN)
        gate_NK = load_tile(weights_WH, column_N, is_column_N, H, k_K, H, IS_EVEN)
        up_NK = load_tile(weights_WH + I * H, column_N, is_column_N, H, k_K, H, IS_EVEN)
        gate_MN = tl.dot(hidden_MK, tl.trans(gate_NK), gate_MN, input_precision="ieee")
        up_MN = tl.dot(hidden_MK, tl.trans(up_NK), up_MN, input_precision="ieee")
    return gate_MN * tl.sigmoid(gate_MN) * up_MN


@triton.jit
def down_tile(
    act_RI,
    row_M,
    is_row_M,
    down_EIH,
    expert,
    column_N,
    H: tl.constexpr,
    I: tl.constexpr,  # noqa: E741
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Return act @ down of some rows and some columns of one expert, in float32."""
    IS_EVEN: tl.constexpr = I % BLOCK_K == 0
    IS_EVEN_N: tl.constexpr = H % BLOCK_N == 0
    weights_IH = down_EIH + expert.to(tl.int64) * (I * H)
    output_MN = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for start in range(0, I, BLOCK_K):
        k_K = start + tl.arange(0, BLOCK_K)
        act_MK = load_tile(act_RI, row_M, is_row_M, I, k_K, I, IS_EVEN)
        down_KN = load_tile(weights_IH, k_K, k_K < I, H, column_N, H, IS_EVEN_N)
        output_MN = tl.dot(act_MK, down_KN, output_MN, input_precision="ieee")
    return output_MN


@triton.jit
def store_tile(pointer, row_M, is_row_M, stride, column_N, num_columns, tile_MN):
    """Store a tile's rows where the pointer's rows are, in the pointer's dtype."""
    mask_MN = is_row_M[:, None] & (column_N < num_columns)[None, :]
    address_MN = pointer + row_M.to(tl.int64)[:, None] * stride + column_N[None, :]
    tl.store(address_MN, tile_MN.to(pointer.dtype.element_ty), mask=mask_MN)
