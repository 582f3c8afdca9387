"""Launches that compile for a GPU that is not there: what they leave in Triton's cache is what that GPU looks for.

A launch goes through Triton's own path, with its rules of what a kernel is made for; only the driver is replaced,
which Triton asks for the GPU, and nothing is run. Tensors may be torch's meta tensors: aligned, without content.
"""

# Triton's classes carry no annotations.
# mypy: allow-untyped-calls

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from triton.backends.compiler import GPUTarget
from triton.runtime.driver import driver
from triton.runtime.jit import JITFunction

WARP_SIZE = 32


class Compiled(NamedTuple):
    """What a launch would have run."""

    name: str  # the kernel's module and function: "few._down"
    kernel: Any  # triton.compiler.CompiledKernel


class _AbsentGpu:
    """Answer Triton as the driver of a GPU of a compute capability would, as far as compiling asks."""

    def __init__(self, capability: int) -> None:
        self._capability = capability

    def get_current_target(self) -> GPUTarget:
        """Return the GPU that is compiled for."""
        return GPUTarget("cuda", self._capability, WARP_SIZE)

    def get_current_device(self) -> int:
        """Return a number of its own: Triton keeps kernels by it."""
        return self._capability

    def get_current_stream(self, _device: int) -> int:
        """Return the default stream, which nothing is given."""
        return 0


@contextmanager
def compiling_for(capability: int) -> Iterator[list[Compiled]]:
    """Compile what is launched inside the block, in place of running it; the list takes each launch's kernel.

    Args:
        capability: Compute capability of the GPU, as 90.
    """
    launches: list[Compiled] = []
    run, active = JITFunction.run, driver._active

    def compile_alone(function: Any, *args: Any, **options: Any) -> Any:
        kernel = run(function, *args, **{**options, "warmup": True})
        launches.append(Compiled(f"{function.__module__.rpartition('.')[2]}.{function.__name__}", kernel))
        return kernel

    driver.set_active(_AbsentGpu(capability))
    JITFunction.run = compile_alone
    try:
        yield launches
    finally:
        JITFunction.run = run
        driver.set_active(active)
