"""What torch asks CUDA's driver, answered for a GPU that is not there."""

# mypy: allow-untyped-calls, allow-untyped-defs

import contextlib
import time
import types
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch.profiler import ProfilerActivity
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import _disable_current_modes

from bench.rehearsal.tensors import DEVICE, GPU, made_here, plain, to

NAME, MEMORY_BYTES, SHARED_BYTES = "NVIDIA H200 (rehearsed)", 140 * 2**30, 227 * 1024
GENERATOR_OF_TORCH, PROFILE_OF_TORCH = torch.Generator, torch.profiler.profile
CAPABILITY, NUM_PROCESSORS = (9, 0), 132


class Event:
    """A moment of the device's stream: the host's, as each operation ends before the next begins."""

    def __init__(self, **_options: object) -> None:
        self.at_s = 0.0

    def record(self, *_: object) -> None:
        """Note the time."""
        self.at_s = time.perf_counter()

    def synchronize(self) -> None:
        """Wait for nothing: what came before it has ended."""

    def elapsed_time(self, end: "Event") -> float:
        """Return milliseconds."""
        return (end.at_s - self.at_s) * 1e3


class Stream:
    """A queue of work, which is done at once."""

    def __init__(self, *_: object, **_options: object) -> None:
        """Take what torch's takes."""

    def wait_stream(self, _other: object) -> None:
        """Do nothing: work has been done."""

    def synchronize(self) -> None:
        """Do nothing: work has been done."""


class Graph:
    """Operations that were captured, on the tensors that they had."""

    def __init__(self) -> None:
        self.operations: list[Any] = []

    def replay(self) -> None:
        """Do them again; the mode is left, for the tensors are the CPU's."""
        with _disable_current_modes(), torch.inference_mode():
            for again in self.operations:
                again()


@contextlib.contextmanager
def capture(graph: Graph, pool: object = None, stream: object = None, **_: object) -> Iterator[None]:
    """Capture what runs in the block; unlike CUDA, it is computed as well."""
    if DEVICE.captured is not None:
        raise RuntimeError("CUDA error: a graph is captured already")
    DEVICE.captured = graph.operations
    try:
        yield
    finally:
        DEVICE.captured = None


def _synchronize(*_: object) -> None:
    if DEVICE.captured is not None:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing (synchronize)")


def _properties(*_: object) -> SimpleNamespace:
    return SimpleNamespace(
        name=NAME, uuid="00000000-0000-0000-0000-000000000000", total_memory=MEMORY_BYTES, major=CAPABILITY[0],
        minor=CAPABILITY[1], multi_processor_count=NUM_PROCESSORS, L2_cache_size=60 * 2**20, is_integrated=False,
        warp_size=32, max_threads_per_multi_processor=2048, regs_per_multiprocessor=65536,
    )  # fmt: skip


class _OfAnyDevice(type):
    def __call__(cls, _device: object = None) -> torch.Generator:
        return GENERATOR_OF_TORCH()

    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, GENERATOR_OF_TORCH)


class Generator(metaclass=_OfAnyDevice):
    """The CPU's generator, whatever device is asked for."""


ANSWERS: dict[str, Any] = {
    "is_available": lambda: True,
    "is_initialized": lambda: True,
    "_lazy_init": lambda: None,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "set_device": lambda _device: None,
    "device": lambda _device: contextlib.nullcontext(),
    "synchronize": _synchronize,
    "empty_cache": lambda: None,
    "Event": Event,
    "Stream": Stream,
    "current_stream": lambda *_: Stream(),
    "stream": lambda _stream: contextlib.nullcontext(),
    "graph": capture,
    "CUDAGraph": Graph,
    "graph_pool_handle": lambda: (0, 0),
    "is_current_stream_capturing": lambda: DEVICE.captured is not None,
    "get_device_name": lambda *_: NAME,
    "get_device_capability": lambda *_: CAPABILITY,
    "get_device_properties": _properties,
    "mem_get_info": lambda *_: (MEMORY_BYTES - DEVICE.bytes, MEMORY_BYTES),
    "memory_allocated": lambda *_: DEVICE.bytes,
    "memory_reserved": lambda *_: DEVICE.bytes,
    "max_memory_allocated": lambda *_: DEVICE.most_bytes,
    "reset_peak_memory_stats": lambda *_: setattr(DEVICE, "most_bytes", DEVICE.bytes),
    "get_rng_state": lambda *_: torch.get_rng_state(),  # draws are the CPU's
    "set_rng_state": lambda state, *_: torch.set_rng_state(state),
    "manual_seed_all": lambda _seed: None,
}


def nvml(reasons: int = 0) -> types.ModuleType:
    """Return a module that answers as NVIDIA's management library, of a GPU that is slowed for these reasons."""
    module: Any = types.ModuleType("pynvml")
    module.NVMLError = type("NVMLError", (Exception,), {})
    module.nvmlInit = lambda: None
    module.nvmlDeviceGetHandleByUUID = lambda uuid: uuid
    module.nvmlDeviceGetCurrentClocksEventReasons = lambda _handle: reasons
    return cast(types.ModuleType, module)


def profile(activities: Iterable[ProfilerActivity], **options: Any) -> Any:
    """Profile the host: no kernel runs that the driver could tell of."""
    return PROFILE_OF_TORCH(activities=[one for one in activities if one is ProfilerActivity.CPU], **options)


def install(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Have this process believe in the GPU, until it ends or what was put is taken back; enter DEVICE besides.

    Args:
        put: puts an attribute of torch's in the place of its own.
    """
    for name, answer in ANSWERS.items():
        put(torch.cuda, name, answer)
    _device_constructors()  # remembers torch's own, which `with torch.device` looks for
    put(torch, "tensor", made_here(torch.tensor))
    put(torch, "as_tensor", made_here(torch.as_tensor))
    put(torch, "Generator", Generator)
    put(torch.Tensor, "to", to)
    put(torch.Tensor, "cuda", lambda tensor, *_, **__: to(tensor, GPU))
    put(torch.__future__, "_overwrite_module_params_on_conversion", True)  # else a module would keep the CPU's
    put(torch.profiler, "profile", profile)
    put(torch.version, "cuda", "rehearsed")


def interpret(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Have Triton's interpreter run kernels on what holds the values, and graphs hold those launches.

    Nothing is done where Triton is missing; TRITON_INTERPRET must be set before it is imported.

    Args:
        put: puts an attribute of Triton's in the place of its own.
    """
    try:
        from triton.runtime import driver, interpreter
    except ImportError:
        return
    launched = interpreter.GridExecutor.__call__

    def launch(executor: Any, *args: Any, **kwargs: Any) -> None:
        args, kwargs = plain(args), plain(kwargs)
        launched(executor, *args, **kwargs)
        if DEVICE.captured is not None:
            DEVICE.captured.append(lambda: launched(executor, *args, **kwargs))

    put(interpreter.GridExecutor, "__call__", launch)
    properties = {"max_shared_mem": SHARED_BYTES, "multiprocessor_count": NUM_PROCESSORS}
    put(driver, "_active", SimpleNamespace(utils=SimpleNamespace(get_device_properties=lambda _: properties)))
