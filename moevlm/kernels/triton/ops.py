"""SwiGLU experts and the dense twin's SwiGLU on a GPU, as operators: a compiled model and a CUDA graph see one node.

Shapes: T tokens, H hidden size, E experts, I width of one expert, K experts a token.
"""

# mypy: allow-untyped-calls, allow-untyped-decorators

from functools import lru_cache, partial

import torch
import torch.nn.functional as F
import triton

from moevlm.kernels.grouped import compiled
from moevlm.kernels.products import plain_dense
from moevlm.kernels.tilings import Shape, Tiling, choose
from moevlm.kernels.triton.dense import fused_dense
from moevlm.kernels.triton.few import few_experts
from moevlm.kernels.triton.many import many_experts
from moevlm.kernels.triton.persistent import persistent_experts

MOST_ROW_BYTES = 1 << 29  # of (token, expert) rows at a time: 16,384 tokens of 7b in bfloat16


def run_experts(
    tiling: Tiling,
    gate_up_EWH: torch.Tensor,
    down_EIH: torch.Tensor,
    hidden_TH: torch.Tensor,
    ids_TK: torch.Tensor,
    weights_TK: torch.Tensor,
) -> torch.Tensor:
    """Sum the chosen experts of each token as one of EXPERT_WAYS does; as `moevlm.kernels.fast.fast_experts`.

    So many tokens are taken at a time that their rows fit the bound.
    """
    hidden_TH = hidden_TH if hidden_TH.stride(-1) == 1 else hidden_TH.contiguous()
    tensors = hidden_TH, ids_TK.contiguous(), weights_TK.contiguous()
    if not ids_TK.numel():
        return torch.zeros_like(hidden_TH)
    row_bytes = ids_TK.shape[1] * hidden_TH.shape[1] * hidden_TH.dtype.itemsize
    parts = zip(*(tensor.split(max(1, MOST_ROW_BYTES // row_bytes)) for tensor in tensors), strict=True)
    kernels = {"few": few_experts, "many": many_experts, "persistent": persistent_experts}
    run = compiled() if tiling.way == "grouped_mm" else partial(kernels[tiling.way], tiles=tiling.tiles)
    outputs = [run(gate_up_EWH, down_EIH, *part) for part in parts]
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def run_dense(
    tiling: Tiling, gate_up_EWH: torch.Tensor, down_EIH: torch.Tensor, hidden_TH: torch.Tensor
) -> torch.Tensor:
    """Sum all blocks with weight 1 as one of DENSE_WAYS does; as `moevlm.kernels.fast.fast_dense`."""
    if tiling.way == "fused" and hidden_TH.numel():
        return fused_dense(gate_up_EWH, down_EIH, hidden_TH.contiguous(), tiling.tiles)
    return plain_dense(gate_up_EWH, down_EIH, hidden_TH, F.silu)


@torch.library.custom_op("moevlm::gpu_experts", mutates_args=())
def _gpu_experts(
    gate_up: torch.Tensor, down: torch.Tensor, hidden: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    with torch.cuda.device(hidden.device):
        tiling = tiling_of(hidden.device.index, down.dtype, ids.shape[1], *down.shape, len(hidden))
        return run_experts(tiling, gate_up, down, hidden, ids, weights)


@torch.library.custom_op("moevlm::gpu_dense", mutates_args=())
def _gpu_dense(gate_up: torch.Tensor, down: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    with torch.cuda.device(hidden.device):
        tiling = tiling_of(hidden.device.index, down.dtype, len(down), *down.shape, len(hidden))
        return run_dense(tiling, gate_up, down, hidden)


@_gpu_experts.register_fake
@_gpu_dense.register_fake
def _fake_output(_gate_up: torch.Tensor, _down: torch.Tensor, hidden: torch.Tensor, *_: object) -> torch.Tensor:
    """Tell torch.compile the output's shape."""
    return hidden.new_empty(hidden.shape)


@lru_cache(maxsize=4096)  # a model has few shapes, prompts have many lengths
def tiling_of(
    device_index: int,
    dtype: torch.dtype,
    top_k: int,
    num_experts: int,
    width: int,
    hidden_size: int,
    num_tokens: int,
) -> Tiling:
    """Return a GPU's tiling; `top_k` = `num_experts` for a dense twin."""
    shape = shape_of(device_index, dtype, top_k, num_experts, width, hidden_size)
    return choose(shape, max(1, num_tokens), most_shared_bytes=shared_bytes(device_index))


def shape_of(
    device_index: int, dtype: torch.dtype, top_k: int, num_experts: int, width: int, hidden_size: int
) -> Shape:
    """Return the key of a GPU's entries in the table."""
    return Shape(
        device=torch.cuda.get_device_name(device_index),
        dtype=str(dtype).removeprefix("torch."),
        num_experts=num_experts,
        top_k=top_k,
        hidden_size=hidden_size,
        width=width,
    )


def shared_bytes(device_index: int) -> int:
    """Return the shared memory that a GPU gives a program, as Triton checks it."""
    properties: dict[str, int] = triton.runtime.driver.active.utils.get_device_properties(device_index)
    return properties["max_shared_mem"]
