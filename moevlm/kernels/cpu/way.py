"""Which way a CPU computes a feed-forward of many rows: chosen once a machine and shape, by measuring there.

Up to FEW_ROWS our kernels run, which a decode step's operators hold. Beyond, what `ops.is_best` says stands until a
measurement of this machine shows another way to be clearly faster. It is made where a shape and a number of rows are
first met, takes part of a second and is kept in a file; a scenario meets them in its check, so no clock sees it.

Shapes: H hidden size, E experts or blocks, I width of one.
"""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from moevlm.kernels.cpu import ops, way_timing
from moevlm.kernels.cpu.choosing import KERNELS, PRODUCTS, RULE, WAYS, asked, kept_in
from moevlm.kernels.cpu.way_timing import Shape, ways_of
from moevlm.once import once

FEW_ROWS = 8
BUCKETS = {24: 16, 48: 32, 96: 64, 192: 128, 384: 256}  # up to so many rows -> the number that is measured
MANY_ROWS = 512  # measured for more
_forced: list[str] = []  # the last one holds


def way_of(kind: str, down_EIH: torch.Tensor, rows: float) -> str:
    """Return the chosen way, a key of `WAYS`; `ops.takes` has been asked.

    Args:
        kind: EXPERTS or DENSE.
        down_EIH: Weights.
        rows: Of an expert: the mean over all; of a dense block: all tokens.

    Raises:
        ValueError: The environment's MOEVLM_FEED_FORWARD names no way.
    """
    if _forced:
        return _forced[-1] if _forced[-1] in ways_of(kind, len(down_EIH)) else PRODUCTS
    if rows <= FEW_ROWS:
        return KERNELS
    if asked() == RULE:
        return usual(down_EIH.dtype, rows)
    num_experts, width, hidden_size = down_EIH.shape
    return chosen(kind, down_EIH.dtype, num_experts, width, hidden_size, ops.num_threads(), bucket_of(rows))


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Compute every feed-forward one way while the body runs, also of few rows: what a choice is compared with.

    Raises:
        ValueError: The name is no key of WAYS.
    """
    if name not in WAYS:
        raise ValueError(f"a way must be one of {', '.join(WAYS)}, got {name!r}; name one of them")
    _forced.append(name)
    try:
        yield
    finally:
        _forced.pop()


def usual(dtype: torch.dtype, rows: float) -> str:
    """Return the way that was faster on the machines of docs/performance.md."""
    return KERNELS if ops.is_best(dtype, rows) else PRODUCTS


def bucket_of(rows: float) -> int:
    """Return the number of rows that is measured in place of another.

    >>> [bucket_of(rows) for rows in (9, 25, 64, 97, 5000)]
    [16, 32, 64, 128, 512]
    """
    for most, measured in BUCKETS.items():
        if rows <= most:
            return measured
    return MANY_ROWS


@once
def chosen(
    kind: str, dtype: torch.dtype, num_experts: int, width: int, hidden_size: int, num_threads: int, rows: int
) -> str:
    """Return the way of a shape at one of the measured numbers of rows, found once a process."""
    shape = Shape(kind, dtype, num_experts, width, hidden_size, num_threads)
    if asked() in WAYS:
        return asked() if asked() in shape.ways else PRODUCTS
    return _measured(shape, rows)


def _measured(shape: Shape, rows: int) -> str:
    """Find the choice or make it, in a thread of its own: there the caller's modes (fake tensors) do not hold."""
    with ThreadPoolExecutor(max_workers=1) as apart:
        return apart.submit(_found, shape, rows).result()


def _found(shape: Shape, rows: int) -> str:
    from moevlm.kernels.cpu import way_file  # it needs locks and owners of files as POSIX has them

    def choose(before: str) -> way_file.Choice:
        seconds = way_timing.seconds_by_way(shape, rows)
        return way_file.Choice(way_file.better(before or usual(shape.dtype, rows), seconds), seconds)

    try:
        path = kept_in()
    except OSError as error:
        warnings.warn(f"moevlm's choice of CPU kernels cannot be kept: {error}", stacklevel=2)
        return choose("").way
    return way_file.find_or_choose(path, f"{shape}, {rows} rows", shape.ways, choose)
