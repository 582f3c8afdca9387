"""SwiGLU in torch's own products: experts one after another; the dense twin at once, differentiable, or by blocks.

Shapes: T tokens, H hidden size, E experts or blocks, I width of one, F = E * I, K experts a token, R rows of an expert.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

Activation = Callable[[torch.Tensor], torch.Tensor]
Multiply = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # as torch.nn.functional.linear


def loop_experts(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    ids_TK: torch.Tensor,
    weights_TK: torch.Tensor,
    act: Activation,
    multiply: Multiply = F.linear,
) -> torch.Tensor:
    """Sum the chosen experts of each token, one expert that was hit at a time; as `moevlm.kernels.fast.fast_experts`.

    Weights scale the I-wide activations, which are narrower than the output.
    """
    num_experts = down_EIH.shape[0]
    chosen_P, pairs_P = ids_TK.flatten().sort(stable=True)
    counts = torch.bincount(chosen_P, minlength=num_experts)[:num_experts].tolist()
    tokens_P = pairs_P // ids_TK.shape[1]
    weights_P = weights_TK.flatten()[pairs_P].to(hidden_TH.dtype)
    output_TH = torch.zeros_like(hidden_TH)
    # taken apart at once, or the gradient of each expert's part would be as large as all of them
    gate_up, down = (weights.unbind() if torch.is_grad_enabled() else weights for weights in (gate_up_EWH, down_EIH))
    start = 0
    for expert, count in enumerate(counts):
        if count:
            rows = slice(start, start + count)
            tokens_R, weights_R1 = tokens_P[rows], weights_P[rows, None]
            gate_RI, up_RI = multiply(hidden_TH[tokens_R], gate_up[expert]).chunk(2, dim=-1)
            rows_RH = multiply(act(gate_RI) * up_RI * weights_R1, down[expert].t())
            output_TH.index_add_(0, tokens_R, rows_RH.to(output_TH.dtype))  # autocast multiplies in another
            start += count
    return output_TH


def plain_dense(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    act: Activation,
    multiply: Multiply = F.linear,
) -> torch.Tensor:
    """Sum all blocks of an MoE's storage with weight 1: two products, F wide."""
    blocks, width, hidden_size = down_EIH.shape
    projected = multiply(hidden_TH, gate_up_EWH.view(-1, hidden_size))
    gate_TEI, up_TEI = projected.unflatten(-1, (blocks, 2, width)).unbind(-2)
    return multiply((act(gate_TEI) * up_TEI).flatten(-2), down_EIH.view(-1, hidden_size).t())


def block_dense(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    act: Activation,
    multiply: Multiply = F.linear,
) -> torch.Tensor:
    """Sum the blocks as `plain_dense`, one after another in float32: what a block makes of the tokens stays in a cache.

    For inference: nothing of T x F is kept for a gradient.
    """
    sum_TH = torch.zeros_like(hidden_TH, dtype=torch.float32)
    for gate_up_WH, down_IH in zip(gate_up_EWH, down_EIH, strict=True):
        gate_TI, up_TI = multiply(hidden_TH, gate_up_WH).chunk(2, dim=-1)
        sum_TH += multiply(act(gate_TI) * up_TI, down_IH.t())
    return sum_TH.to(hidden_TH.dtype)
