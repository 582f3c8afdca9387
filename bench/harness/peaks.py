"""What this machine can do at best, measured in the same run, and the anchors: torch work that no code of ours touches.

A peak is the best of several rounds and ways, torch's and the project's own: nothing makes a machine faster than it is.
MFU, MBU and floors divide by it. An anchor is one arm of every scenario: when both models become slower and the anchor
does not, shared code did; when the anchor does too, the machine did. Changing an anchor's work is a breaking change for
every baseline.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from bench.harness.clock import Clock

PEAK_ROUNDS = 12  # rounds of each peak; on a shared machine some of them run undisturbed
MATMUL_SIZE = {"cpu": 1024, "cuda": 8192}  # rows of the square matrices: enough to reach the plateau, in milliseconds
COPY_BYTES = {"cpu": 256 * 2**20, "cuda": 2**30}  # per buffer: beyond the last-level cache of most machines
READ_COLUMNS = 1024  # floats of a row of what is read and copied
ANCHOR_SIZE = {"cpu": 256, "cuda": 1024}  # rows of the anchors' matrices: a fraction of a millisecond to a few
DISPATCH_OPS = 200  # small operations of the dispatch anchor: about half a millisecond of Python and dispatcher

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


def _matmul_anchor(device: torch.device, dtype: torch.dtype) -> Callable[[], object]:
    """Four products of square matrices: bound by arithmetic, as prefill is."""
    size = ANCHOR_SIZE[device.type]
    matrix = torch.randn(size, size, generator=torch.Generator().manual_seed(0)).to(device, dtype)

    def run() -> object:
        for _ in range(4):
            product = matrix @ matrix
        return product

    return run


def _stream_anchor(device: torch.device, dtype: torch.dtype) -> Callable[[], object]:
    """Products of a large matrix with a vector: bound by memory bandwidth, as decode of a large model is."""
    rows = 8 * ANCHOR_SIZE[device.type]
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(rows, rows, generator=generator).to(device, dtype)
    vector = torch.randn(rows, generator=generator).to(device, dtype)
    return lambda: matrix @ vector


def _dispatch_anchor(device: torch.device, dtype: torch.dtype) -> Callable[[], object]:
    """Chain operations too small to matter: bound by Python and the dispatcher, as decode of a small model is."""
    row = torch.randn(1, 64, generator=torch.Generator().manual_seed(0)).to(device, dtype)

    def run() -> object:
        result = row
        for _ in range(DISPATCH_OPS):
            result = result + row
        return result

    return run


ANCHORS: dict[str, Callable[[torch.device, torch.dtype], Callable[[], object]]] = {
    "matmul": _matmul_anchor,
    "stream": _stream_anchor,
    "dispatch": _dispatch_anchor,
}


@cache
def make_anchor(name: str, device: torch.device, dtype: torch.dtype) -> Callable[[], object]:
    """Return the anchor's work, ready to run; built once, for drawing its matrices takes longer than many a scenario.

    Raises:
        ValueError: if the name is unknown.
    """
    if name not in ANCHORS:
        raise ValueError(f"anchor must be one of {', '.join(ANCHORS)}, got {name!r}; choose one of them")
    return ANCHORS[name](device, dtype)
