"""Which operations the time of one call goes to: torch.profiler's account of it, as plain seconds by name."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from bench.gate.ab.channel import Profiled

OUTSIDE = "(outside of operations)"  # Python, and waiting for the device
ACTIVITIES = {"cpu": [ProfilerActivity.CPU], "cuda": [ProfilerActivity.CPU, ProfilerActivity.CUDA]}


def operation_seconds(call: Callable[[], object], device: torch.device) -> Profiled:
    """Run a call once under the profiler, until the device is idle again.

    Returns:
        Seconds of each operation itself, by its name: without those that it calls, all its calls together.
    """
    # the outer span's own time is what no operation within accounts for
    with profile(activities=ACTIVITIES[device.type]) as profiler, record_function(OUTSIDE):
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    host_s: dict[str, float] = {}
    device_s: dict[str, float] = {}
    for event in profiler.key_averages():
        if event.device_type.name == "CPU":
            host_s[event.key] = event.self_cpu_time_total / 1e6
        elif event.key != OUTSIDE:  # its span on the GPU holds the kernels, which stand for themselves
            device_s[event.key] = event.self_device_time_total / 1e6
    return Profiled(host_s=host_s, device_s=device_s)
