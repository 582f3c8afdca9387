"""The dense twin's SwiGLU in torch's own products: any device and dtype, differentiable, open to compilation.

Shapes: T tokens, H hidden size, E blocks, I width of one, F = E * I.
"""

import torch
import torch.nn.functional as F

from moevlm.kernels.loop import Activation


def plain_dense(
    gate_up_EWH: torch.Tensor, down_EIH: torch.Tensor, hidden_TH: torch.Tensor, act: Activation
) -> torch.Tensor:
    """Sum all blocks of an MoE's storage with weight 1: two products, F wide.

    Args:
        gate_up_EWH: (E, 2I, H): of each block the gate's rows, then up's.
        down_EIH: (E, I, H).
        hidden_TH: Hidden states.
        act: Activation of the gate.
    """
    blocks, width, hidden_size = down_EIH.shape
    projected = F.linear(hidden_TH, gate_up_EWH.view(-1, hidden_size))
    gate_TEI, up_TEI = projected.unflatten(-1, (blocks, 2, width)).unbind(-2)
    output_TH: torch.Tensor = (act(gate_TEI) * up_TEI).flatten(-2) @ down_EIH.view(-1, hidden_size)
    return output_TH
