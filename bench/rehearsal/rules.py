"""What a GPU refuses, and what has the host wait for it, by the name of an operation."""

from collections.abc import Sequence
from typing import Any

import torch

# Operations that have the host wait for the device: a value is read, or a shape depends on values.
WAITING = {
    "_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero", "masked_select", "unique", "_unique2",
    "unique_consecutive", "unique_dim", "bincount",
}  # fmt: skip
GROUPED = {"_grouped_mm", "grouped_mm"}  # one kernel in bfloat16; in other dtypes a loop over ends read on the host
COPIES = {"copy_", "_to_copy", "to"}
INDEXED = {"index", "index_put_", "index_put", "_index_put_impl_"}  # indices may lie on the host
ACROSS = {*COPIES, *INDEXED, "set_"}  # that take tensors of two devices


def check_devices(name: str, tensors: Sequence[torch.Tensor], on_host: Sequence[torch.Tensor]) -> None:
    """Refuse tensors of two devices, but for single numbers.

    Args:
        tensors: All that an operation takes.
        on_host: Those of them that are not on the GPU.

    Raises:
        RuntimeError: As torch words it.
    """
    if name not in ACROSS and len(on_host) < len(tensors) and any(tensor.dim() for tensor in on_host):
        raise RuntimeError(f"Expected all tensors to be on the same device, but found cuda:0 and cpu, in {name}")


def host_waits(name: str, args: Sequence[Any], on_host: Sequence[torch.Tensor], *, leaves_gpu: bool) -> bool:
    """Tell whether the host waits for the device in an operation.

    A copy from memory of the host that is not pinned is one: no graph holds it.

    Args:
        args: Of the operation.
        on_host: Tensors among them that are not on the GPU.
        leaves_gpu: Its result is asked for elsewhere.
    """
    if name in COPIES:
        return leaves_gpu or any(tensor.dim() for tensor in on_host)
    if name in INDEXED:  # a mask becomes as many indices as it has true values
        return any(isinstance(index, torch.Tensor) and index.dtype is torch.bool for index in args[1])
    return name in WAITING or (name in GROUPED and args[0].dtype is not torch.bfloat16)
