"""What a GPU takes a moment for, made small enough for the CPU that stands for it."""

from collections.abc import Callable
from operator import setitem
from typing import Any

from bench.harness import anchors, peaks

ROWS, BYTES = 64, 2**16


def cut(put: Callable[[dict[str, Any], str, Any], None] = setitem) -> None:
    """Make peaks and anchors small; `put` sets an entry of a table."""
    put(peaks.MATMUL_SIZE, "cuda", ROWS)
    put(peaks.COPY_BYTES, "cuda", BYTES)
    put(anchors.MATMUL_ROWS, "cuda", ROWS)
    put(anchors.STREAM_SHAPE, "cuda", (ROWS, ROWS))
