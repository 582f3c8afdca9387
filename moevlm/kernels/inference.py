"""What the kernels of every device ask of the tensors: SwiGLU in one dtype, the stored layout, no gradient wanted."""

import torch

HIDDEN_ACT = "silu"


def is_swiglu_inference(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    hidden_act: str,
    weights_TK: torch.Tensor | None = None,
) -> bool:
    """Tell whether kernels without gradients compute the same as plain products.

    Args:
        gate_up_EWH: (E, 2I, H).
        down_EIH: (E, I, H).
        hidden_TH: Hidden states.
        hidden_act: Activation by transformers' name.
        weights_TK: Expert weights, of an MoE.
    """
    weights = () if weights_TK is None else (weights_TK,)
    return (
        hidden_TH.dtype == gate_up_EWH.dtype == down_EIH.dtype
        and hidden_act == HIDDEN_ACT
        and gate_up_EWH.is_contiguous()
        and down_EIH.is_contiguous()
        and not (
            torch.is_grad_enabled()
            and any(tensor.requires_grad for tensor in (gate_up_EWH, down_EIH, hidden_TH, *weights))
        )
    )
