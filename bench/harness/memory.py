"""Peak memory of one call: the allocator's own count on a GPU, torch's allocation events on a CPU; without noise."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

MEMORY_EVENT = "[memory]"  # the name under which kineto lists every allocation (positive bytes) and release (negative)


def peak_new_bytes(call: Callable[[], object], device: torch.device) -> int:
    """Return the most bytes that `call`, its result included, holds at one time beyond what was allocated before."""
    return _PEAKS[device.type](call, device)


def _cuda_peak(call: Callable[[], object], device: torch.device) -> int:
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    call()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _cpu_peak(call: Callable[[], object], _device: torch.device) -> int:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        result = call()
    del result  # alive until here: it counts
    assert profiled.profiler is not None, "the profiler has run"
    kineto = profiled.profiler.kineto_results.events()
    events = sorted((e.start_ns(), e.nbytes()) for e in kineto if e.name() == MEMORY_EVENT)
    held = peak = 0
    for _, num_bytes in events:
        held += num_bytes
        peak = max(peak, held)
    return peak


_PEAKS: dict[str, Callable[[Callable[[], object], torch.device], int]] = {"cuda": _cuda_peak, "cpu": _cpu_peak}
