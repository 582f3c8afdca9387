"""Bytes of tensors alive: of an arm after its build, after its first call and at most during it; without noise.

The allocator's own counts on a GPU. On a CPU torch's allocation events, which see every tensor whoever holds it (a
module, a cache, a custom operator); what is allocated past torch's allocator is not seen.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import NamedTuple, TypeVar

import torch
from torch.profiler import ProfilerActivity, profile

M = TypeVar("M")

BUILT = "built_bytes:{arm}"  # names a record's fact of an arm: what is alive after the build
CALLED = "called_bytes:{arm}"  # and after its first call
MEMORY_EVENT = "[memory]"  # the name under which kineto lists every allocation (positive bytes) and release (negative)


class Alive(NamedTuple):
    """Bytes of tensors alive beyond those of before the build."""

    built: int  # after the build
    called: int  # after the first call, its result released
    peak: int  # at most during the first call, its result included

    @property
    def kept(self) -> int:
        """Return what stays between calls: after the build or after the first call, whichever is more."""
        return max(self.built, self.called)


def count_alive(build: Callable[[], M], call: Callable[[M], object], device: torch.device) -> Alive:
    """Build something and call it once, counting what is alive.

    Run it in a process of its own: what another build or call has left in a cache is not allocated again.

    Args:
        build: makes everything that is to be counted, but what the call makes.
        call: is given what was built; what it returns is released before `called` is read.
        device: where tensors are counted.
    """
    return _COUNTS[device.type](build, call, device)


def _on_cuda(build: Callable[[], M], call: Callable[[M], object], device: torch.device) -> Alive:
    before = torch.cuda.memory_allocated(device)
    built = build()
    gc.collect()
    after_build = torch.cuda.memory_allocated(device) - before
    torch.cuda.reset_peak_memory_stats(device)
    call(built)
    torch.cuda.synchronize(device)
    gc.collect()  # what references itself in a circle is no cache
    after_call = torch.cuda.memory_allocated(device) - before
    return Alive(after_build, after_call, torch.cuda.max_memory_allocated(device) - before)


def _on_cpu(build: Callable[[], M], call: Callable[[M], object], _device: torch.device) -> Alive:
    with _counted() as of_build:
        built = build()
        gc.collect()
    with _counted() as of_call:
        call(built)
        gc.collect()  # what references itself in a circle is no cache
    after_build = sum(of_build)
    during_call = [after_build, *(after_build + held for held in accumulate(of_call))]
    return Alive(after_build, during_call[-1], max(during_call))


@contextmanager
def _counted() -> Iterator[list[int]]:
    """Yield a list that holds, once the block has ended, the bytes of each allocation and release in it, in order."""
    events: list[int] = []
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        yield events
    assert profiled.profiler is not None, "the profiler has run"
    kineto = profiled.profiler.kineto_results.events()
    timed = sorted(((e.start_ns(), e.nbytes()) for e in kineto if e.name() == MEMORY_EVENT), key=lambda one: one[0])
    events += [num_bytes for _, num_bytes in timed]


_COUNTS: dict[str, Callable[..., Alive]] = {"cuda": _on_cuda, "cpu": _on_cpu}
