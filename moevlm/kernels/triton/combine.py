"""Last step of the experts: sum each token's weighted rows in float32, in the order of its choices.

Shapes: T tokens, K experts a token, P = T * K pairs in the order of tokens, H hidden size, E experts.
A sum in a fixed order, not by atomic additions: greedy decoding must choose the same token in every run.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators, allow-untyped-defs, allow-incomplete-defs

import torch
import triton
import triton.language as tl

BLOCK_H = 512  # columns of a program; a row of 7b is four programs


@triton.jit
def _combine(rows_PH, ids_TK, weights_TK, output_TH, num_experts, K: tl.constexpr, H, BLOCK: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    column_N = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    total_N = tl.zeros((BLOCK,), dtype=tl.float32)
    for k in range(K):
        pair = token * K + k
        end = tl.where(tl.load(ids_TK + pair) < num_experts, H, 0)  # another device's pair has left no row
        row_N = tl.load(rows_PH + pair * H + column_N, mask=column_N < end, other=0.0)
        total_N += tl.load(weights_TK + pair).to(tl.float32) * row_N.to(tl.float32)
    tl.store(output_TH + token * H + column_N, total_N.to(output_TH.dtype.element_ty), mask=column_N < H)


def combine(
    rows_PH: torch.Tensor, ids_TK: torch.Tensor, weights_TK: torch.Tensor, output_TH: torch.Tensor, num_experts: int
) -> None:
    """Write the weighted sums of the pairs' rows into a contiguous output; ids from `num_experts` on add nothing."""
    num_tokens, hidden_size = output_TH.shape
    grid = (num_tokens, triton.cdiv(hidden_size, BLOCK_H))
    _combine[grid](rows_PH, ids_TK, weights_TK, output_TH, num_experts, ids_TK.shape[1], hidden_size, BLOCK=BLOCK_H)
