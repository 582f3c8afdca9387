"""Other projects' experts over the same tensors: which can be compared, and in a CUDA graph."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from moevlm.kernels.backends import OURS
from moevlm.kernels.fast import has_gpu_kernels

if TYPE_CHECKING:
    from moevlm.model.feedforward import MoEVLMExperts

Experts = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]  # hidden states, ids, weights -> output

TRANSFORMERS = ("eager", "grouped_mm", "batched_mm")
LIGER = "liger/fused"  # pip install liger-kernel
ASKING = ("eager", "reference", LIGER)  # which experts were hit, all choices, how many blocks there are
FIRST_FUSED = (9, 0)  # compute capability from which torch's grouped product is a kernel, not a loop that asks for ends


def peers_of(backend: str, device: torch.device, dtype: torch.dtype, num_pairs: int, num_experts: int) -> list[str]:
    """Name the arms to measure beside `backend`. None is judged: they are another project's.

    grouped_mm has no float64. batched_mm copies the weights of each (token, expert) pair: it is left out where it would
    copy more than there are. Liger's kernels are for GPUs, and an extra that may be missing.
    """
    left_out = {"grouped_mm": dtype is torch.float64, "batched_mm": num_pairs > num_experts}
    names = [f"transformers/{name}" for name in TRANSFORMERS if name != backend and not left_out.get(name, False)]
    has_liger = device.type == "cuda" and importlib.util.find_spec("liger_kernel") is not None
    return [*names, LIGER] if has_liger and dtype is not torch.float64 else names


def asks_the_device(arm: str, backend: str, dtype: torch.dtype) -> bool:
    """Tell whether an arm reads values from the device on its way, so that no graph can hold it.

    Args:
        arm: "moe", "dense" or one of `peers_of`.
        backend: Of the arm "moe"; ours is a loop that asks where it has no kernels.
        dtype: Of the weights.
    """
    name = backend if arm == "moe" else arm.removeprefix("transformers/")
    has_kernel = {OURS: has_gpu_kernels, "grouped_mm": is_grouped_fused}
    return name in ASKING or (name in has_kernel and not has_kernel[name](dtype))


def is_grouped_fused(dtype: torch.dtype) -> bool:
    """Tell whether torch's grouped product is one kernel on the current GPU."""
    return dtype is torch.bfloat16 and torch.cuda.get_device_capability() >= FIRST_FUSED


def peer(experts: MoEVLMExperts, name: str) -> Experts:
    """Return the same experts as a peer computes them, over the same tensors where it reads their layout."""
    return liger(experts) if name == LIGER else with_backend(experts, name.removeprefix("transformers/"))


def with_backend(experts: MoEVLMExperts, backend: str) -> MoEVLMExperts:
    """Return the same experts, of the same tensors, under another backend."""
    config: Any = copy.copy(experts.config)
    config._experts_implementation = backend
    other = copy.copy(experts)
    other.config = config
    return other


def liger(experts: MoEVLMExperts) -> Experts:
    """Return Liger's fused experts.

    They take down as (E, H, I) in memory, so this arm holds its own copy, made off the clock; their kernels tune
    themselves at the first call.
    """
    from liger_kernel.ops import LigerFusedMoEFunction

    down_EHI = experts.down_proj.detach().contiguous()

    def run(hidden_TH: torch.Tensor, ids_TK: torch.Tensor, weights_TK: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = LigerFusedMoEFunction.apply(
            hidden_TH, experts.gate_up_proj, down_EHI, ids_TK.int(), weights_TK
        )
        return output

    return run
