"""Tests of peaks (on a scripted clock) and of the anchors' work."""

from collections.abc import Callable

import pytest
import torch

from bench.harness import peaks
from bench.harness.clock import Timed
from bench.harness.peaks import ANCHORS, DISPATCH_OPS, Cost, floor_s, make_anchor, measure_peaks

CPU = torch.device("cpu")


class ScriptedClock:
    """Runs each call, and says that it took the next of given seconds."""

    def __init__(self, seconds: list[float]) -> None:
        self.seconds = iter(seconds)

    def measure(self, call: Callable[[], object]) -> Timed:
        return Timed(next(self.seconds), call())

    def throttled(self) -> bool:
        return False


def test_a_peak_is_the_work_over_the_best_round_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "PEAK_ROUNDS", 3)
    monkeypatch.setattr(peaks, "MATMUL_SIZE", {"cpu": 10})
    monkeypatch.setattr(peaks, "COPY_BYTES", {"cpu": 400})
    product, sums, vectors, copies = [4.0, 2.0, 3.0], [9.0, 7.0, 8.0], [6.0, 5.0, 4.0], [8.0, 5.0, 6.0]
    clock = ScriptedClock([second for way in (product, sums, vectors, copies) for second in (0.001, *way)])
    found = measure_peaks(clock, CPU, torch.float32)  # the first of each pays for allocation
    assert found.matmul_flop_per_s == 2 * 10**3 / 2.0
    assert found.read_byte_per_s == 400 / 4.0  # the better of two ways
    assert found.copy_byte_per_s == 2 * 400 / 5.0  # read and written


@pytest.mark.parametrize(("own_s", "flop_per_s"), [(1.0, 5000.0), (4.0, 2000.0)])
def test_a_kernel_of_the_project_makes_a_peak_where_it_is_the_faster(
    monkeypatch: pytest.MonkeyPatch, own_s: float, flop_per_s: float
) -> None:
    monkeypatch.setattr(peaks, "PEAK_ROUNDS", 1)
    monkeypatch.setattr(peaks, "MATMUL_SIZE", {"cpu": 10})
    monkeypatch.setattr(peaks, "COPY_BYTES", {"cpu": 400})
    seconds = [1.0, own_s, 1.0, 1.0, 1.0]  # torch's product, ours of 5,000 FLOPs, then torch's reads and its copy
    clock, called = ScriptedClock([second for way in seconds for second in (0.001, way)]), []
    own = {"matmul_flop_per_s": [(5000.0, lambda: called.append("ours"))]}
    assert measure_peaks(clock, CPU, torch.float32, own).matmul_flop_per_s == flop_per_s
    assert called == ["ours"] * 2


def test_kernels_for_no_peak_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "COPY_BYTES", {"cpu": 400})
    names = "matmul_flop_per_s, read_byte_per_s, copy_byte_per_s"
    with pytest.raises(ValueError, match=f"peaks are {names}, got kernels for write_byte_per_s; correct the name"):
        measure_peaks(ScriptedClock([]), CPU, torch.float32, {"write_byte_per_s": []})


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


PEAKS = {"matmul_flop_per_s": 100.0, "read_byte_per_s": 10.0, "copy_byte_per_s": 1.0}
BEFORE_READS = {"matmul_flop_per_s": 100.0, "copy_byte_per_s": 10.0}  # as older records hold peaks


@pytest.mark.parametrize(
    ("cost", "seconds"),
    [
        ({"flops": 300.0, "bytes": 10.0, "parts": [[300.0, 10.0]]}, 3.0),  # computing takes longer than moving
        ({"flops": 300.0, "bytes": 50.0, "parts": [[300.0, 10.0], [0.0, 40.0]]}, 7.0),  # one after the other
        ({"flops": 300.0, "bytes": 50.0}, 5.0),  # not known apart
        ({"flops": 0.0, "bytes": 0.0, "parts": []}, 0.0),
    ],
)
def test_a_floor_is_the_sum_of_its_parts_longer_times(cost: Cost, seconds: float) -> None:
    assert floor_s(cost, PEAKS) == seconds
    assert floor_s(cost, BEFORE_READS) == seconds


WORK = {"flops": 1.0, "bytes": 1.0}


@pytest.mark.parametrize(
    ("cost", "known"), [(None, PEAKS), (WORK, {"read_byte_per_s": 10.0}), (WORK, {"matmul_flop_per_s": 10.0})]
)
def test_without_work_or_peaks_there_is_no_floor(cost: Cost | None, known: dict[str, float]) -> None:
    assert floor_s(cost, known) is None
