"""A dense feed-forward of many rows by two wide products, with SwiGLU's elementwise part in one pass between them.

Shapes: T tokens, H hidden size, E blocks, I width of one.
"""

import torch
import torch.nn.functional as F

from moevlm.kernels.cpu.build import load
from moevlm.kernels.cpu.matmul import linear
from moevlm.kernels.products import plain_dense


def product_dense(gate_up_EWH: torch.Tensor, down_EIH: torch.Tensor, hidden_TH: torch.Tensor) -> torch.Tensor:
    """Sum all blocks of an MoE's storage with weight 1, as `plain_dense` with SiLU, for inference.

    In float32 what lies between the products takes 4 % of their time, where torch's two operations take 10 % (an AMD
    Zen 4, 4,096 wide); in bfloat16, in which few rows are left to products, torch's stay.

    Args:
        gate_up_EWH: (E, 2I, H): the gate's rows, then up's; contiguous.
        down_EIH: (E, I, H), contiguous.
        hidden_TH: Hidden states.
    """
    if hidden_TH.dtype != torch.float32 or load() is not None:
        return plain_dense(gate_up_EWH, down_EIH, hidden_TH, F.silu, linear)
    _, width, hidden_size = down_EIH.shape
    projected = linear(hidden_TH, gate_up_EWH.view(-1, hidden_size))
    return linear(torch.ops.moevlm.gated(projected, width), down_EIH.view(-1, hidden_size).t())
