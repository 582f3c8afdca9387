"""Experts on many tokens by programs that stay: rows gathered once, and every tile brought by bulk copies (TMA).

As many programs as the GPU has multiprocessors walk over all tiles, so no program's start or end leaves one idle, and
columns go before rows: those that run together share an expert's weights in the L2 cache. A tile's address is a
descriptor's, made on the host, which fills with zeros what lies outside: no mask stands in the loop. Two groups of
four warps share a tile's rows.

Never chosen unless measured: no GPU has run it.

Shapes: T tokens, K experts a token, P = T * K pairs, H hidden size, E experts, I width of one expert, M rows of a tile,
N its columns.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators, allow-untyped-defs, allow-incomplete-defs

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from moevlm.kernels.tilings import Tile
from moevlm.kernels.triton.combine import combine
from moevlm.kernels.triton.many import rows_of, sort_pairs
from moevlm.kernels.triton.tiles import store_tile

PREDICTED = (Tile(128, 128, 64, 8, 4), Tile(128, 256, 64, 8, 4))  # of 2-byte values on an SM90: 192 KiB
OTHER_PROGRAMS = 4  # where there is no GPU: few, which an interpreter runs one after another


@triton.jit
def _num_blocks(counts_E, num_experts, BLOCK_E: tl.constexpr, BLOCK_M: tl.constexpr):
    expert_E = tl.arange(0, BLOCK_E)
    count_E = tl.load(counts_E + expert_E, mask=expert_E < num_experts, other=0)
    return tl.sum(tl.cdiv(count_E, BLOCK_M), axis=0)


@triton.jit
def _gate_up(
    rows_PH, gate_up_EWH, counts_E, act_PI, num_experts, num_programs,
    H: tl.constexpr, I: tl.constexpr,  # noqa: E741
    BLOCK_E: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    stripes: tl.constexpr = (I + BLOCK_N - 1) // BLOCK_N
    num_tiles = _num_blocks(counts_E, num_experts, BLOCK_E, BLOCK_M) * stripes
    for tile in range(tl.program_id(0), num_tiles, num_programs):
        expert, first, end = rows_of(counts_E, tile // stripes, num_experts, BLOCK_E, BLOCK_M)
        column = (tile % stripes) * BLOCK_N
        gate_MN = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
        up_MN = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
        for k in range(0, H, BLOCK_K):
            hidden_MK = rows_PH.load([first, k])
            gate_NK = gate_up_EWH.load([2 * expert, column, k]).reshape(BLOCK_N, BLOCK_K)
            up_NK = gate_up_EWH.load([2 * expert + 1, column, k]).reshape(BLOCK_N, BLOCK_K)
            gate_MN = tl.dot(hidden_MK, gate_NK.T, gate_MN, input_precision="ieee")
            up_MN = tl.dot(hidden_MK, up_NK.T, up_MN, input_precision="ieee")
        row_M = first + tl.arange(0, BLOCK_M)  # rows from the end on are the next expert's, multiplied in vain
        act_MN = gate_MN * tl.sigmoid(gate_MN) * up_MN
        store_tile(act_PI, row_M, row_M < end, I, column + tl.arange(0, BLOCK_N), I, act_MN)


@triton.jit
def _down(
    act_PI, down_EIH, pairs_P, counts_E, rows_PH, num_experts, num_programs,
    H: tl.constexpr, I: tl.constexpr,  # noqa: E741
    BLOCK_E: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    stripes: tl.constexpr = (H + BLOCK_N - 1) // BLOCK_N
    num_tiles = _num_blocks(counts_E, num_experts, BLOCK_E, BLOCK_M) * stripes
    for tile in range(tl.program_id(0), num_tiles, num_programs):
        expert, first, end = rows_of(counts_E, tile // stripes, num_experts, BLOCK_E, BLOCK_M)
        column = (tile % stripes) * BLOCK_N
        output_MN = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
        for k in range(0, I, BLOCK_K):
            act_MK = act_PI.load([first, k])
            down_KN = down_EIH.load([expert, k, column]).reshape(BLOCK_K, BLOCK_N)
            output_MN = tl.dot(act_MK, down_KN, output_MN, input_precision="ieee")
        row_M = first + tl.arange(0, BLOCK_M)
        pair_M = tl.load(pairs_P + row_M, mask=row_M < end, other=0)
        store_tile(rows_PH, pair_M, row_M < end, H, column + tl.arange(0, BLOCK_N), H, output_MN)


def persistent_experts(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    ids_TK: torch.Tensor,
    weights_TK: torch.Tensor,
    tiles: tuple[Tile, ...],
) -> torch.Tensor:
    """Sum the chosen experts of each token; arguments as in `few_experts`, rows of whole 16 bytes.

    Allocated beside the output: P sorted positions, P x H gathered rows, P x I activations and P x H rows, all in the
    tokens' dtype.

    Args:
        tiles: Empty: the predicted ones.
    """
    num_experts, width, hidden_size = down_EIH.shape
    gate_up, down = tiles or PREDICTED
    pairs_P, counts_E = sort_pairs(ids_TK, num_experts)
    gathered_PH = hidden_TH.index_select(0, pairs_P // ids_TK.shape[1])
    act_PI, rows_PH = hidden_TH.new_empty(len(pairs_P), width), torch.empty_like(gathered_PH)
    programs = (_num_programs(hidden_TH.device),)
    shared = {"H": hidden_size, "I": width, "BLOCK_E": triton.next_power_of_2(num_experts)}
    _gate_up[programs](
        _described(gathered_PH, gate_up.block_m, gate_up.block_k),
        _described(gate_up_EWH.view(2 * num_experts, width, hidden_size), 1, gate_up.block_n, gate_up.block_k),
        counts_E, act_PI, num_experts, *programs, **shared, **gate_up.options(),
    )  # fmt: skip
    _down[programs](
        _described(act_PI, down.block_m, down.block_k), _described(down_EIH, 1, down.block_k, down.block_n),
        pairs_P, counts_E, rows_PH, num_experts, *programs, **shared, **down.options(),
    )  # fmt: skip
    output_TH = hidden_TH.new_empty(hidden_TH.shape)
    combine(rows_PH, ids_TK, weights_TK, output_TH, num_experts)
    return output_TH


def _described(tensor: torch.Tensor, *block: int) -> TensorDescriptor:
    return TensorDescriptor.from_tensor(tensor, list(block))


def _num_programs(device: torch.device) -> int:
    if device.type != "cuda":
        return OTHER_PROGRAMS
    return int(torch.cuda.get_device_properties(device).multi_processor_count)
