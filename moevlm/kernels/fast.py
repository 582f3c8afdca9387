"""The device's own SwiGLU kernels, where there are some for these tensors and they are the best choice; else nothing.

Shapes: T tokens, H hidden size, E experts, I width of one expert, K experts a token.
"""

import warnings

import torch
import torch.nn.functional as F

from moevlm.kernels.cpu import ops as cpu
from moevlm.kernels.cpu import way
from moevlm.kernels.cpu.choosing import BLOCKS, KERNELS, PRODUCTS
from moevlm.kernels.cpu.dense import product_dense
from moevlm.kernels.cpu.matmul import linear
from moevlm.kernels.cpu.way_timing import DENSE, EXPERTS
from moevlm.kernels.products import block_dense
from moevlm.kernels.tilings import MEASURED, read
from moevlm.once import once

HIDDEN_ACT = "silu"
GPU_DTYPES = (torch.bfloat16, torch.float16, torch.float32)


def fast_experts(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    ids_TK: torch.Tensor,
    weights_TK: torch.Tensor,
    hidden_act: str,
) -> torch.Tensor | None:
    """Sum the chosen experts of each token on the device's kernels.

    Args:
        gate_up_EWH: (E, 2I, H): the gate's rows, then up's.
        down_EIH: (E, I, H).
        hidden_TH: Hidden states.
        ids_TK: Expert ids, int64; E marks a choice that another device computes.
        weights_TK: Expert weights.
        hidden_act: Activation by transformers' name.

    Returns:
        (T, H), or None: another way is faster, or the only one (gradients, another activation, dtype or device).
    """
    tensors, dtype = (gate_up_EWH, down_EIH, hidden_TH), hidden_TH.dtype
    if not is_swiglu_inference(*tensors, hidden_act, weights_TK):
        return None
    if hidden_TH.device.type == "cuda":
        if not has_gpu_kernels(dtype):
            return None
        summed_TH: torch.Tensor = torch.ops.moevlm.gpu_experts(*tensors, ids_TK, weights_TK)
        return summed_TH
    if cpu_way(EXPERTS, down_EIH, hidden_TH, ids_TK.numel() / down_EIH.shape[0]) == KERNELS:
        return cpu.swiglu_experts(*tensors, ids_TK, weights_TK)
    return None


def fast_dense(
    gate_up_EWH: torch.Tensor, down_EIH: torch.Tensor, hidden_TH: torch.Tensor, hidden_act: str
) -> torch.Tensor | None:
    """Sum all blocks of an MoE's storage with weight 1 on the device's kernels; arguments as in `fast_experts`.

    On a GPU torch's products stay, and stay open to compilation, unless kernels have been measured for this shape.
    """
    tensors, device, dtype = (gate_up_EWH, down_EIH, hidden_TH), hidden_TH.device, hidden_TH.dtype
    if not is_swiglu_inference(*tensors, hidden_act):
        return None
    if device.type == "cuda":
        if not has_gpu_kernels(dtype) or not _is_dense_measured(device.index, dtype, *down_EIH.shape):
            return None
        summed_TH: torch.Tensor = torch.ops.moevlm.gpu_dense(*tensors)
        return summed_TH
    chosen = cpu_way(DENSE, down_EIH, hidden_TH, hidden_TH.shape[0])
    if chosen == KERNELS:
        return cpu.swiglu_dense(*tensors)
    if torch.compiler.is_compiling():  # a graph would hold every block, and joins what lies between products itself
        return None
    if chosen == BLOCKS:
        return block_dense(*tensors, F.silu, linear)
    return product_dense(*tensors) if dtype == torch.float32 else None


def cpu_way(kind: str, down_EIH: torch.Tensor, hidden_TH: torch.Tensor, rows: float) -> str:
    """Name the chosen way of a feed-forward on a CPU; `is_swiglu_inference` has been asked.

    Args:
        kind: EXPERTS or DENSE.
        down_EIH: Weights.
        hidden_TH: Hidden states.
        rows: Of an expert: the mean over all; of a dense block: all tokens.
    """
    return way.way_of(kind, down_EIH, rows) if cpu.takes(down_EIH, hidden_TH) else PRODUCTS


def is_swiglu_inference(
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    hidden_act: str,
    weights_TK: torch.Tensor | None = None,
) -> bool:
    """Tell whether kernels without gradients compute the same as plain products: one dtype, the stored layout."""
    tensors = (gate_up_EWH, down_EIH, hidden_TH, *(() if weights_TK is None else (weights_TK,)))
    return (
        hidden_TH.dtype == gate_up_EWH.dtype == down_EIH.dtype
        and hidden_act == HIDDEN_ACT
        and gate_up_EWH.is_contiguous()
        and down_EIH.is_contiguous()
        and not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors))
    )


def has_gpu_kernels(dtype: torch.dtype) -> bool:
    """Tell whether a GPU's experts run on kernels of ours in this dtype; without Triton a warning says why not."""
    return dtype in GPU_DTYPES and _has_triton()


@once
def _has_triton() -> bool:
    """Register the GPU's operators; say so once where Triton is not there."""
    try:
        import moevlm.kernels.triton.ops  # noqa: F401  # Triton is read by those alone who have a GPU
    except ImportError as error:
        warnings.warn(
            f"moevlm's GPU kernels need Triton, torch's products are used instead: {error}; pip install triton",
            stacklevel=2,
        )
        return False
    return True


@once
def _is_dense_measured(device_index: int, dtype: torch.dtype, num_experts: int, width: int, hidden_size: int) -> bool:
    from moevlm.kernels.triton.ops import shape_of

    shape = shape_of(device_index, dtype, num_experts, num_experts, width, hidden_size)
    return any(entry.shape == shape for entry in read(MEASURED))
