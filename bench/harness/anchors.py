"""Anchors: torch work that no code of ours touches, one arm of every scenario.

When both models become slower and the anchor does not, shared code did; when the anchor does too, the machine did.
Changing an anchor's work is a breaking change for every baseline.
"""

import logging
import statistics
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import torch

from bench.harness.clock import Clock

MATMUL_ROWS = {"cpu": 256, "cuda": 8192}  # of square matrices: a fraction of a millisecond to a few
STREAM_SHAPE = {"cpu": (2048, 2048), "cuda": (65536, 8192)}  # on a GPU 1 GiB in 16 bits, 20 times its cache
NUM_PRODUCTS = 4
DRAWN_ROWS = 2048  # of a matrix, repeated in a larger one: drawing 2^29 normals takes a host seconds
DISPATCH_OPS = 200  # small operations of the dispatch anchor: about half a millisecond of Python and dispatcher
BOUND_ROUNDS = 5
LEAST_RATIO = 1.6  # of the time of all rows to that of half of them: 2 where the device is busy, 1 where it waits

WHOLE_OVER_HALF = "anchor_whole_over_half"  # names a record's fact of a scenario

Call = Callable[[], object]


class Anchor(NamedTuple):
    """Work of one kind; half of it tells what its time is bound by, None of what is bound by Python."""

    run: Call
    half: Call | None = None


def _drawn(rows: int, columns: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Draw a matrix: zeros run faster than data."""
    drawn = torch.randn(min(rows, DRAWN_ROWS), columns, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    return drawn.repeat(rows // len(drawn), 1)


def _matmul_anchor(device: torch.device, dtype: torch.dtype) -> Anchor:
    """Products of square matrices: bound by arithmetic, as prefill is."""
    size = MATMUL_ROWS[device.type]
    matrix = _drawn(size, size, device, dtype)

    def run(rows: torch.Tensor) -> object:
        for _ in range(NUM_PRODUCTS):
            product = rows @ matrix
        return product

    return Anchor(partial(run, matrix), partial(run, matrix[: size // 2]))


def _stream_anchor(device: torch.device, dtype: torch.dtype) -> Anchor:
    """Products of a large matrix with a vector: bound by memory bandwidth, as decode of a large model is."""
    rows, columns = STREAM_SHAPE[device.type]
    matrix, vector = _drawn(rows, columns, device, dtype), _drawn(1, columns, device, dtype)[0]
    return Anchor(lambda: matrix @ vector, lambda: matrix[: rows // 2] @ vector)


def _dispatch_anchor(device: torch.device, dtype: torch.dtype) -> Anchor:
    """Chain operations too small to matter: bound by Python and the dispatcher, as decode of a small model is."""
    row = torch.randn(1, 64, generator=torch.Generator().manual_seed(0)).to(device, dtype)

    def run() -> object:
        result = row
        for _ in range(DISPATCH_OPS):
            result = result + row
        return result

    return Anchor(run)


ANCHORS: dict[str, Callable[[torch.device, torch.dtype], Anchor]] = {
    "matmul": _matmul_anchor,
    "stream": _stream_anchor,
    "dispatch": _dispatch_anchor,
}


def make_anchor(name: str, device: torch.device, dtype: torch.dtype) -> Call:
    """Return the anchor's work, ready to run; built once, for drawing its matrices takes longer than many a scenario.

    Raises:
        ValueError: if the name is unknown.
    """
    return _made(name, device, dtype).run


@cache
def _made(name: str, device: torch.device, dtype: torch.dtype) -> Anchor:
    if name not in ANCHORS:
        raise ValueError(f"anchor must be one of {', '.join(ANCHORS)}, got {name!r}; choose one of them")
    return ANCHORS[name](device, dtype)


@cache
def whole_over_half(name: str, device: torch.device, dtype: torch.dtype, clock: Clock) -> float | None:
    """Return the time of an anchor over that of half its rows: near 2 where the device is what it waits for.

    Near 1 it measures how calls reach the device, which is logged. None on a CPU, whose calls return when all is done,
    and of an anchor that has no half.
    """
    anchor = _made(name, device, dtype)
    if device.type == "cpu" or anchor.half is None:
        return None
    whole_s, half_s = (_median_s(clock, call) for call in (anchor.run, anchor.half))
    if whole_s < LEAST_RATIO * half_s:
        logging.getLogger(__name__).warning(
            "the anchor %s must be bound by the device, got %.2f times the time of half its rows, below %s; "
            "give it more in bench/harness/anchors.py, or judge nothing by it",
            *(name, whole_s / half_s, LEAST_RATIO),
        )
    return whole_s / half_s


def _median_s(clock: Clock, call: Call) -> float:
    """Return the median of BOUND_ROUNDS runs after one that pays for allocation."""
    clock.measure(call)
    return statistics.median(clock.measure(call).seconds for _ in range(BOUND_ROUNDS))
