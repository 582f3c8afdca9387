"""Tests of the anchors' work: the same each time, enough for a GPU, and found out where a GPU waits for calls."""

import logging
from collections.abc import Callable

import pytest
import torch

from bench.harness import anchors
from bench.harness.anchors import (
    ANCHORS,
    DISPATCH_OPS,
    MATMUL_ROWS,
    STREAM_SHAPE,
    Anchor,
    make_anchor,
    whole_over_half,
)
from bench.harness.clock import Timed
from fixtures.memory import ANCHOR_VALUES

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


class ClockOf:
    """Says how long calls take: those of so many rows, and that a call takes something besides."""

    def __init__(self, row_s: float, call_s: float) -> None:
        self.row_s, self.call_s = row_s, call_s

    def measure(self, call: Callable[[], int]) -> Timed[int]:
        rows = call()
        return Timed(self.call_s + rows * self.row_s, rows)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ANCHORS)
def test_an_anchor_does_the_same_work_each_time(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    first = make_anchor(name, CPU, dtype)()
    torch.manual_seed(2)
    second = make_anchor(name, CPU, dtype)()
    assert isinstance(first, torch.Tensor)
    assert isinstance(second, torch.Tensor)
    assert first.dtype is dtype
    assert torch.equal(first, second)
    assert first.abs().max() > 0  # zeros run faster than data


def test_the_dispatch_anchor_runs_its_number_of_operations() -> None:
    result = make_anchor("dispatch", CPU, torch.float64)()
    row = torch.randn(1, 64, generator=torch.Generator().manual_seed(0)).double()
    assert isinstance(result, torch.Tensor)
    torch.testing.assert_close(result, (DISPATCH_OPS + 1) * row)


def test_the_matmul_anchor_is_a_square() -> None:
    result = make_anchor("matmul", CPU, torch.float64)()
    matrix = torch.randn(256, 256, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(result, matrix @ matrix)


def test_unknown_anchor_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="anchor must be one of matmul, stream, dispatch, got 'copy'"):
        make_anchor("copy", CPU, torch.float32)


def test_a_gpus_anchors_are_too_large_for_its_caches_and_as_large_as_estimates_of_memory_say() -> None:
    rows, columns = STREAM_SHAPE["cuda"]
    assert 2 * rows * columns >= 2**30
    assert MATMUL_ROWS["cuda"] >= 8192
    assert ANCHOR_VALUES["cuda"] == rows * columns + 2 * MATMUL_ROWS["cuda"] ** 2  # with a product's result


@pytest.mark.parametrize("name", ["matmul", "stream"])
def test_half_an_anchor_is_half_its_rows(name: str) -> None:
    anchor = ANCHORS[name](CPU, torch.float64)
    assert anchor.half is not None
    whole, half = anchor.run(), anchor.half()
    assert isinstance(whole, torch.Tensor)
    assert isinstance(half, torch.Tensor)
    torch.testing.assert_close(half, whole[: len(whole) // 2])


@pytest.mark.parametrize(("call_s", "ratio"), [(0.0, 2.0), (0.001, 1.998), (100.0, 1.005)])
def test_what_waits_for_calls_is_told_from_what_the_device_is_busy_with(
    call_s: float, ratio: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(anchors, "_made", lambda *_: Anchor(lambda: 1000, lambda: 500))
    clock = ClockOf(row_s=0.001, call_s=call_s)
    with caplog.at_level(logging.WARNING):
        assert whole_over_half("stream", GPU, torch.float32, clock) == pytest.approx(ratio, abs=1e-3)
    said = "the anchor stream must be bound by the device, got 1.00 times the time of half its rows, below 1.6; give it"
    assert (said in caplog.text) == (call_s == 100.0)


def test_nothing_is_asked_of_a_cpu_nor_of_what_python_bounds() -> None:
    clock = ClockOf(row_s=0.0, call_s=0.0)
    assert whole_over_half("stream", CPU, torch.float32, clock) is None
