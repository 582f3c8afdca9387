"""Capturing work as a CUDA graph: what is done in which order, what is refused, and on a GPU what a replay computes."""

import contextlib

import pytest
import torch

from moevlm.generation import cuda_graph
from moevlm.generation.cuda_graph import WARMUP_CALLS, captured

GPU = torch.device("cuda", 0)


class FakeStream:
    def wait_stream(self, _other):
        pass


@pytest.fixture
def steps(monkeypatch):
    """Note what a capture asks of CUDA, in order, where there is none; a replay does nothing."""
    noted, stream = [], FakeStream()

    class FakeGraph:
        def replay(self):
            noted.append("replay")

    @contextlib.contextmanager
    def noted_block(name, on):
        assert on is stream
        noted.append(name)
        try:
            yield
        finally:
            noted.append(f"end of {name}")

    monkeypatch.setattr(cuda_graph, "_capture_stream", lambda _device: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _device: FakeStream())
    monkeypatch.setattr(torch.cuda, "stream", lambda on: noted_block("stream", on))
    monkeypatch.setattr(torch.cuda, "graph", lambda _graph, *, pool, stream: noted_block(f"capture {pool}", stream))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    return noted


def test_calls_warm_up_on_the_stream_of_the_capture(steps):
    replay = captured(lambda: steps.append("call") or "result", GPU, pool="pool")
    blocks = ["stream", *["call"] * WARMUP_CALLS, "capture pool", "call", "end of capture pool", "end of stream"]
    assert steps == blocks
    assert replay() == replay() == "result"
    assert steps == [*blocks, "replay", "replay"]


def failing_at_capture(steps, error):
    """Return work that fails once it is captured; warm-ups pass."""

    def call():
        if "capture None" in steps:
            raise error

    return call


def test_work_that_waits_for_the_gpu_is_refused(steps):
    error = RuntimeError("operation not permitted when stream is capturing")
    message = r"must not wait for the GPU, got: operation not permitted .*; choose an expert backend that does not \("
    with pytest.raises(ValueError, match=message):
        captured(failing_at_capture(steps, error), GPU)
    assert steps[-1] == "end of stream"


def test_a_lack_of_memory_is_not_taken_for_waiting(steps):
    with pytest.raises(torch.OutOfMemoryError):
        captured(failing_at_capture(steps, torch.OutOfMemoryError("10 GiB")), GPU)


def test_other_devices_have_no_graphs():
    with pytest.raises(ValueError, match=r"must be on a CUDA device, got cpu; run it as it is there \(decode steps: "):
        captured(lambda: None, torch.device("cpu"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_replay_reads_what_is_in_the_tensors_now():
    values = torch.arange(4.0, device=GPU)
    replay = captured(lambda: 2 * values, GPU)
    values.add_(1)
    assert replay().tolist() == [2, 4, 6, 8]
