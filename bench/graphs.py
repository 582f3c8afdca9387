"""Replay work on a GPU as one CUDA graph: what is measured is the device, as in a decode step, not Python's calls."""

from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")

WARMUP_CALLS = 3  # before the capture: kernels compile, tune themselves and load at their first calls


def captured(call: Callable[[], T], pool: torch.cuda._POOL_HANDLE | None = None) -> Callable[[], T]:
    """Return `call` as a captured graph's replay; the result is the same tensor every time.

    Args:
        call: Work on the current GPU that asks it for no value.
        pool: Memory shared with other graphs (`torch.cuda.graph_pool_handle()`) that never run at the same time; what
            one of them returned holds until another is replayed.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARMUP_CALLS):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        result = call()

    def replay() -> T:
        graph.replay()
        return result

    return replay
