"""Residual stream and its RMS normalisation in one launch: the sum is read again by nobody but the next sum.

Shapes: T tokens, H hidden size.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators, allow-untyped-defs, allow-incomplete-defs

from typing import NamedTuple

import torch
import triton
import triton.language as tl

NUM_WARPS = 8  # of a row: 2,048 values are eight a thread


class Normed(NamedTuple):
    """The residual stream, and what the next part of the layer reads of it, each (T, H)."""

    hidden_TH: torch.Tensor
    normal_TH: torch.Tensor


@triton.jit
def _add_rms_norm(
    hidden_TH, delta_TH, scale_H, sum_TH, normal_TH, H, epsilon, HAS_DELTA: tl.constexpr, BLOCK_H: tl.constexpr
):
    start = tl.program_id(0).to(tl.int64) * H
    column_H = tl.arange(0, BLOCK_H)
    is_column_H = column_H < H
    value_H = tl.load(hidden_TH + start + column_H, mask=is_column_H, other=0.0)
    if HAS_DELTA:
        delta_H = tl.load(delta_TH + start + column_H, mask=is_column_H, other=0.0)
        value_H = (value_H.to(tl.float32) + delta_H.to(tl.float32)).to(sum_TH.dtype.element_ty)
        tl.store(sum_TH + start + column_H, value_H, mask=is_column_H)
    wide_H = value_H.to(tl.float32)  # of the sum as it is stored: what torch's norm would read
    inverse = tl.rsqrt(tl.sum(wide_H * wide_H, axis=0) / H + epsilon)
    normal_H = wide_H * inverse * tl.load(scale_H + column_H, mask=is_column_H, other=0.0).to(tl.float32)
    tl.store(normal_TH + start + column_H, normal_H.to(normal_TH.dtype.element_ty), mask=is_column_H)


def add_rms_norm(
    hidden_TH: torch.Tensor, delta_TH: torch.Tensor | None, scale_H: torch.Tensor, epsilon: float
) -> Normed:
    """Add what a part of a layer computed to the residual stream, and normalise the sum for the next one.

    Args:
        hidden_TH: Residual stream, contiguous, as all tensors here.
        delta_TH: To be added; None: nothing.
        scale_H: The norm's weight.
        epsilon: The norm's.

    Returns:
        Sum and norm in the stream's dtype, each rounded once. Zhang and Sennrich 2019, arXiv:1910.07467.
    """
    num_tokens, hidden_size = hidden_TH.shape
    sum_TH = hidden_TH if delta_TH is None else torch.empty_like(hidden_TH)
    normal_TH = torch.empty_like(hidden_TH)
    _add_rms_norm[(num_tokens,)](
        hidden_TH, hidden_TH if delta_TH is None else delta_TH, scale_H, sum_TH, normal_TH, hidden_size, epsilon,
        HAS_DELTA=delta_TH is not None, BLOCK_H=triton.next_power_of_2(hidden_size), num_warps=NUM_WARPS,
    )  # fmt: skip
    return Normed(sum_TH, normal_TH)
