"""What this machine can do at best, measured in the same run.

A peak is the best of several rounds and ways, torch's and the project's own: nothing makes a machine faster than it is.
MFU, MBU and a run's own floors divide by it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bench.harness.clock import Clock

PEAK_ROUNDS = 12  # rounds of each peak; on a shared machine some of them run undisturbed
MATMUL_SIZE = {"cpu": 1024, "cuda": 8192}  # rows of the square matrices: enough to reach the plateau, in milliseconds
COPY_BYTES = {"cpu": 256 * 2**20, "cuda": 2**30}  # per buffer: beyond the last-level cache of most machines
READ_COLUMNS = 1024  # floats of a row of what is read and copied

# By the name of a peak, calls and the work of each, FLOPs or bytes
Ways = Mapping[str, Sequence[tuple[float, Callable[[], object]]]]
# {"flops", "bytes"} of one unit, and {"parts": [[flops, bytes], ...]} where they are known apart
Cost = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """Measured ceilings of a device for one dtype."""

    matmul_flop_per_s: float
    read_byte_per_s: float  # as decode moves weights and cached keys and values
    copy_byte_per_s: float  # read plus written


MATMUL, READ, COPY = Peaks.__dataclass_fields__  # as records name them; old ones have no READ


def floor_s(cost: Cost | None, peaks: Mapping[str, float]) -> float | None:
    """Return the least seconds of some work: of each part the larger of computing and moving time, summed over parts.

    Parts run one after another, so the sum exceeds what the work as a whole would give. Work whose parts are not known
    apart counts as one, which is a floor too, a lower one.

    Returns:
        Seconds, or None where the cost, or a peak of `Peaks` by its name, is not known.

    >>> floor_s({"flops": 9, "bytes": 5, "parts": [[8, 1], [1, 4]]}, {"matmul_flop_per_s": 4, "read_byte_per_s": 1})
    6.0
    """
    moving = moving_byte_per_s(peaks)
    if not cost or MATMUL not in peaks or moving is None:
        return None
    parts = cost.get("parts") or [(cost["flops"], cost["bytes"])]
    return float(sum(max(flops / peaks[MATMUL], moved / moving) for flops, moved in parts))


def moving_byte_per_s(peaks: Mapping[str, float]) -> float | None:
    """Return the peak that holds for bytes: what is counted is nearly all read. Records that have none hold the copy's.

    >>> moving_byte_per_s({"read_byte_per_s": 3, "copy_byte_per_s": 2}), moving_byte_per_s({"copy_byte_per_s": 2})
    (3, 2)
    """
    return peaks.get(READ, peaks.get(COPY))


def measure_peaks(clock: Clock, device: torch.device, dtype: torch.dtype, own: Ways | None = None) -> Peaks:
    """Measure each peak as the best of torch's ways and the project's own.

    Args:
        own: By the name of a peak, what else does work of its kind: see `pytest_measured_kernels`.

    Raises:
        ValueError: if a name is none of a peak.
    """
    ways, own = _torchs_ways(device, dtype), own or {}
    if unknown := own.keys() - ways.keys():
        raise ValueError(f"peaks are {', '.join(ways)}, got kernels for {', '.join(sorted(unknown))}; correct the name")
    return Peaks(**{name: _best(clock, [*torchs, *own.get(name, ())]) for name, torchs in ways.items()})


def _torchs_ways(device: torch.device, dtype: torch.dtype) -> Ways:
    """Return a square product, two ways of reading a matrix, and a copy (read plus written).

    Data are random: zeros run faster than real values.
    """
    size, num_bytes = MATMUL_SIZE[device.type], COPY_BYTES[device.type]
    square = torch.randn(size, size, device=device).to(dtype)
    num_columns = min(READ_COLUMNS, num_bytes // 4)
    source = torch.randn(num_columns, device=device).repeat(num_bytes // (4 * num_columns), 1)
    vector, target = source[0].clone(), torch.empty_like(source)
    return {
        MATMUL: [(2 * size**3, lambda: square @ square)],
        READ: [(num_bytes, source.sum), (num_bytes, lambda: source @ vector)],
        COPY: [(2 * num_bytes, lambda: target.copy_(source))],
    }


def _best(clock: Clock, ways: Sequence[tuple[float, Callable[[], object]]]) -> float:
    return max(work / _best_seconds(clock, call) for work, call in ways)


def _best_seconds(clock: Clock, call: Callable[[], object]) -> float:
    """Return the shortest of PEAK_ROUNDS runs after one that pays for allocation."""
    clock.measure(call)
    return min(clock.measure(call).seconds for _ in range(PEAK_ROUNDS))
