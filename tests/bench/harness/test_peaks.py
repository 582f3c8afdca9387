"""Tests of peaks, on a scripted clock."""

from collections.abc import Callable

import pytest
import torch

from bench.harness import peaks
from bench.harness.clock import Timed
from bench.harness.peaks import Cost, floor_s, measure_peaks

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
