"""Replay work on a GPU as one CUDA graph: what is left is the device's own time, without Python's calls.

A graph repeats the same kernels on the same addresses. So work may be captured that reads and writes tensors which stay
where they are, in shapes that never change, and that asks the GPU for no value on its way.
"""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch

T = TypeVar("T")

WARMUP_CALLS = 3  # before a capture: kernels compile, tune themselves, load and take workspaces at their first calls


def captured(
    call: Callable[[], T], device: torch.device, *, pool: torch.cuda._POOL_HANDLE | None = None
) -> Callable[[], T]:
    """Capture a call as a CUDA graph and return what replays it; the result is the same tensors every time.

    Warm-up and capture share a stream that is not the device's default one: libraries keep a handle and a workspace for
    each stream, and must have made them before. What clears those workspaces (torch.compile's own graphs do) must not
    run while a captured graph is in use.

    Args:
        call: The work; it runs WARMUP_CALLS times, then once to be captured, which computes nothing.
        device: Where it works.
        pool: Memory shared with other graphs (`torch.cuda.graph_pool_handle()`) that never run at the same time; what
            one of them returned holds until another is replayed. None: memory of its own.

    Raises:
        ValueError: The device has no CUDA graphs, or the call waits for it.
    """
    if device.type != "cuda":
        raise ValueError(
            f"work captured as a CUDA graph must be on a CUDA device, got {device.type}; run it as it is there (decode "
            "steps: moevlm.decode_steps)"
        )
    stream = _capture_stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        for _ in range(WARMUP_CALLS):
            call()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=pool, stream=stream):
                result = call()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ValueError(
                f"work captured as a CUDA graph must not wait for the GPU, got: {error}; choose an expert backend that "
                "does not (grouped_mm, batched_mm), or run it as it is (decode steps: moevlm.decode_steps)"
            ) from error
    torch.cuda.current_stream(device).wait_stream(stream)

    def replay() -> T:
        graph.replay()
        return result

    return replay


@cache
def _capture_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the one stream of a device that graphs are captured on: graphs of one stream alone can share memory."""
    return torch.cuda.Stream(device)
