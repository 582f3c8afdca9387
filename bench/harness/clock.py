"""Time one call on the right clock: the host's for a CPU, CUDA events for a GPU. No other file measures times."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import torch

T = TypeVar("T")

SCHEDSTAT_BYTES = 96  # three decimal numbers of 64 bits and their spaces

# NVML's reasons under which a GPU is not itself: hardware slowdown, thermal (software, hardware), power brake. The
# software power cap (0x04) is not one of them: large products run at it all the time.
THROTTLE_REASONS = 0x08 | 0x20 | 0x40 | 0x80


class Timed(NamedTuple, Generic[T]):
    """What a call returned and how long it took, in seconds."""

    seconds: float
    result: T


class HostClock:
    """Seconds of calls that run on the CPU, without the time that other processes held its core.

    Linux tells how long a thread stood in the run queue, ready but without a core. That is the neighbours' time, and on
    a busy machine it is most of the noise: beside three busy processes on two cores a product that takes 22 ms took
    46 ms by the wall, and 23 ms without the wait. Sleeping and waiting for input stay in. Elsewhere it is wall time.
    """

    def __init__(self) -> None:
        path = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")  # this thread's; None off Linux
        self._schedstat = os.open(path, os.O_RDONLY) if path.exists() else None

    def measure(self, call: Callable[[], T]) -> Timed[T]:
        """Run `call` once between two readings of the monotonic performance counter."""
        start = time.perf_counter()
        waited = self._waited_s()  # inside the wall's readings: no wait is taken off that they did not count
        result = call()
        waited = self._waited_s() - waited
        return Timed(time.perf_counter() - start - waited, result)

    def _waited_s(self) -> float:
        """Return how long this thread has stood in the run queue since it began, in seconds."""
        if self._schedstat is None:
            return 0.0
        return int(os.pread(self._schedstat, SCHEDSTAT_BYTES, 0).split()[1]) / 1e9  # kept in nanoseconds

    def throttled(self) -> bool:
        """Return False: an operating system does not say for whom it slows a CPU down."""
        return False

    sees_throttling = throttled


class CudaClock:
    """Seconds between two CUDA events around calls that queue work on a GPU.

    The device is idle at the first event: what the host adds before the first kernel is inside, as a user would see it.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._nvml = _nvml_handle(device)

    def measure(self, call: Callable[[], T]) -> Timed[T]:
        """Run `call` once and wait for the device."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch.cuda.device(self.device):
            torch.cuda.synchronize()
            start.record()
            result = call()
            end.record()
            torch.cuda.synchronize()
        return Timed(start.elapsed_time(end) / 1e3, result)  # elapsed_time is in milliseconds

    def throttled(self) -> bool:
        """Ask NVML for throttle reasons; False where they cannot be read, which `sees_throttling` tells."""
        if self._nvml is None:
            return False
        import pynvml

        return bool(pynvml.nvmlDeviceGetCurrentClocksEventReasons(self._nvml) & THROTTLE_REASONS)

    def sees_throttling(self) -> bool:
        """Tell whether throttle reasons can be read on this device."""
        return self._nvml is not None


Clock: TypeAlias = HostClock | CudaClock


def make_clock(device: torch.device) -> Clock:
    """Return the clock that times calls on `device`."""
    return CudaClock(device) if device.type == "cuda" else HostClock()


def slowed(call: Callable[[], T], factor: float, device: torch.device) -> Callable[[], T]:
    """Make `call` take `factor` times as long, by waiting on the host after it: a rehearsal of a regression.

    The device is waited for first, so that the wait adds to its time instead of hiding behind it.
    """

    def slow_call() -> T:
        start = time.perf_counter()
        result = call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        end = start + factor * (time.perf_counter() - start)
        while time.perf_counter() < end:
            pass
        return result

    return slow_call


def _nvml_handle(device: torch.device) -> object | None:
    """Open NVML for the GPU with this device's UUID; None where nvidia-ml-py or the driver's support is missing."""
    try:
        import pynvml
    except ImportError:
        return None
    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    try:
        pynvml.nvmlInit()
        handle: object = pynvml.nvmlDeviceGetHandleByUUID(uuid.encode())
        pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    except pynvml.NVMLError as error:  # a slice of a GPU, a container without the library
        logging.getLogger(__name__).warning("throttling of %s cannot be seen: %s", device, error)
        return None
    return handle
