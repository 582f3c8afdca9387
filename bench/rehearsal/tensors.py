"""Tensors that say that they are on a GPU, over ones on the CPU that hold their values.

What a GPU would refuse is refused: tensors of two devices in one operation. What it would wait for (a value read on the
host, a shape that depends on values) is refused while a graph is captured, and counted otherwise.
"""

# torch's own annotations know no tensor that answers for another.
# mypy: allow-untyped-calls, allow-untyped-defs, allow-incomplete-defs, disable-error-code="override, assignment"

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from bench.rehearsal.rules import check_devices, host_waits

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
CAPTURING = "operation not permitted when stream is capturing"  # as CUDA words it


class OnGpu(torch.Tensor):
    """A tensor on the GPU."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "OnGpu":
        """Wrap what holds the values."""
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=CPU
        )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, _types, args=(), kwargs=None):
        """Run outside a mode what is asked of a tensor."""
        return DEVICE.run(func, args, kwargs or {})

    def data_ptr(self) -> int:
        """Return the address."""
        return self.held.data_ptr()

    @property
    def device(self) -> torch.device:
        """Say where it is; what is compiled of torch sees a CPU's tensor, for it may know no GPU."""
        return GPU

    is_cuda, is_cpu = True, False

    @property
    def data(self) -> torch.Tensor:
        """Return the values without their history; another tensor's can be put in their place."""
        return self.detach()

    @data.setter
    def data(self, other: "OnGpu") -> None:
        self.held = other.held

    def get_device(self) -> int:
        """Return the number of the GPU."""
        return 0

    def cpu(self) -> torch.Tensor:
        """Copy the values to the host."""
        return DEVICE.read(self)

    def tolist(self) -> Any:
        """Read the values."""
        return self.cpu().tolist()

    def numpy(self, **_: object) -> None:
        """Refuse, as torch does."""
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    def __repr__(self, **_: Any) -> str:
        return f"OnGpu({self.held!r})"

    def untyped_storage(self) -> torch.UntypedStorage:
        """Return the memory."""
        return self.held.untyped_storage()


class Device(TorchDispatchMode):
    """The GPU: runs each operation, and notes it for the graph that is captured, if one is."""

    def __init__(self) -> None:
        super().__init__()
        self.captured: list[Callable[[], None]] | None = None  # of the graph that is captured now
        self.waits = 0  # how often the host has waited for a value
        self.bytes = self.most_bytes = 0
        self._users: dict[int, int] = {}  # by the address of a memory, tensors over it

    def __torch_dispatch__(self, func, _types, args=(), kwargs=None):
        """Run an operation."""
        return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run an operation on what holds the values.

        Raises:
            RuntimeError: Tensors are of two devices, or a graph that is captured would have to wait.
        """
        tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
        on_gpu = [tensor for tensor in tensors if isinstance(tensor, OnGpu)]
        target = None if kwargs.get("device") is None else torch.device(kwargs["device"])
        is_for_gpu = target is not None and target.type == "cuda"
        kwargs = {name: value for name, value in kwargs.items() if name != "pin_memory"}  # which a real GPU reads from
        if not on_gpu and not is_for_gpu:
            return func(*args, **kwargs)
        name, on_host = func._schema.name.rpartition("::")[2], [one for one in tensors if not isinstance(one, OnGpu)]
        check_devices(name, tensors, on_host)
        is_elsewhere = target is not None and not is_for_gpu
        if host_waits(name, args, on_host, leaves_gpu=is_elsewhere):
            self.wait(name)
        plain_args, plain_kwargs = plain(args), plain(kwargs)
        if is_for_gpu:
            plain_kwargs["device"] = CPU
        func = _on_cpu(func, plain_args)
        result = func(*plain_args, **plain_kwargs)
        if self.captured is not None:
            self.captured.append(_replayed(func, plain_args, plain_kwargs, result))
        if is_elsewhere:
            return result
        known = {id(tensor.held): tensor for tensor in on_gpu}
        return tree_map(lambda leaf: self.wrapped(leaf, known) if isinstance(leaf, torch.Tensor) else leaf, result)

    def read(self, tensor: OnGpu) -> torch.Tensor:
        """Copy a tensor's values to the host."""
        self.wait("a copy to the host")
        return tensor.held.clone()

    def wait(self, why: str) -> None:
        """Note that the host waits for the device.

        Raises:
            RuntimeError: A graph is captured.
        """
        self.waits += 1
        if self.captured is not None:
            raise RuntimeError(f"CUDA error: {CAPTURING} ({why})")

    def wrapped(self, held: torch.Tensor, known: Mapping[int, OnGpu] | None = None) -> OnGpu:
        """Put a tensor on the GPU: the one that it was held by, or a new one."""
        if known and id(held) in known:
            return known[id(held)]
        with torch.inference_mode(mode=False):  # a view of one made outside that mode would have no version to share
            made, storage = OnGpu(held), held.untyped_storage()
        self._take(storage.data_ptr(), storage.nbytes())
        weakref.finalize(made, self._give_back, storage.data_ptr(), storage.nbytes())
        return made

    def _take(self, address: int, num_bytes: int) -> None:
        self._users[address] = self._users.get(address, 0) + 1
        if self._users[address] == 1:
            self.bytes += num_bytes
            self.most_bytes = max(self.most_bytes, self.bytes)

    def _give_back(self, address: int, num_bytes: int) -> None:
        self._users[address] -= 1
        if not self._users[address]:
            del self._users[address]
            self.bytes -= num_bytes


DEVICE = Device()
TO_OF_TORCH = torch.Tensor.to


def to(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """Copy to another device or dtype where that takes a copy, as `torch.Tensor.to`."""
    by_gpu = next((one for one in args if isinstance(one, OnGpu)), None)
    device, dtype, *_ = (GPU, by_gpu.dtype) if by_gpu is not None else torch._C._nn._parse_to(*args, **kwargs)
    if device is not None and device.type == "cuda" and not isinstance(tensor, OnGpu):
        held = TO_OF_TORCH(tensor, dtype or tensor.dtype, copy=True)
        if DEVICE.captured is not None:
            DEVICE.wait("a copy from the host")
        return DEVICE.wrapped(held)
    if device is not None and device.type == "cpu" and isinstance(tensor, OnGpu):
        tensor = DEVICE.read(tensor)
    elsewhere = device if device is not None and device.type == "meta" else None
    asked = {"device": elsewhere, "dtype": dtype, "copy": kwargs.get("copy")}
    options: dict[str, Any] = {name: value for name, value in asked.items() if value}
    return TO_OF_TORCH(tensor, **options) if options else tensor


def made_here(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Return what makes a tensor of the host's values, on the GPU if it is asked to."""

    def make_there(*args: Any, device: Any = None, **kwargs: Any) -> torch.Tensor:
        if device is None or torch.device(device).type != "cuda":
            return make(*args, **({} if device is None else {"device": device}), **kwargs)
        return to(make(*args, **kwargs), GPU)

    return make_there


def plain(values: Any) -> Any:
    """Return what holds the values of all tensors in some arguments."""
    return tree_map(lambda leaf: leaf.held if isinstance(leaf, OnGpu) else leaf, values)


def _on_cpu(func: Any, args: Sequence[Any]) -> Callable[..., Any]:
    """Return what does the same on the CPU: it counts no whole numbers."""
    if func is torch.ops.aten.histc.default and not args[0].is_floating_point():
        return lambda values, *rest: func(values.float(), *rest).to(values.dtype)
    return cast(Callable[..., Any], func)


def _replayed(
    func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
) -> Callable[[], None]:
    """Return what does an operation again, into the tensors that it returned: what a graph holds of it."""

    def again() -> None:
        found = func(*args, **kwargs)
        for old, new in zip(tree_flatten(result)[0], tree_flatten(found)[0], strict=True):
            if (
                isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr()
            ):  # neither a view nor written in place
                old.copy_(new)

    return again
