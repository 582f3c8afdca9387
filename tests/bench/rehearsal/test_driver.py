"""What the harness does on a GPU, on one that is not there: clock, peaks, memory, devices, fingerprint, profile."""

import sys
import time

import pytest
import torch

from bench.gate.ab import operations
from bench.harness.anchors import make_anchor, whole_over_half
from bench.harness.clock import CudaClock, make_clock, slowed
from bench.harness.environment import fingerprint, kind_key, kind_slug
from bench.harness.memory import count_alive
from bench.harness.peaks import measure_peaks
from bench.rehearsal import driver
from fixtures.devices import devices_for, free_bytes, known_devices, resolve_device, resolve_dtype
from fixtures.models import build_twins
from fixtures.options import CUDA_AXES, _default_axes
from tests.rehearsed import gpu

__all__ = ["gpu"]


def test_the_clock_times_by_events_and_keeps_the_result(gpu):
    clock = make_clock(gpu)
    assert isinstance(clock, CudaClock)
    timed = clock.measure(lambda: time.sleep(0.01) or torch.ones(2, device=gpu))
    assert timed.seconds >= 0.01
    assert timed.result.tolist() == [1, 1]


@pytest.mark.parametrize(("reasons", "throttled"), [(0, False), (0x04, False), (0x40, True)])
def test_the_clock_asks_for_reasons_of_throttling(gpu, monkeypatch, reasons, throttled):
    monkeypatch.setitem(sys.modules, "pynvml", driver.nvml(reasons))
    clock = make_clock(gpu)
    assert (clock.sees_throttling(), clock.throttled()) == (True, throttled)


def test_a_slowed_call_waits_for_the_device_and_returns_its_result(gpu):
    assert slowed(lambda: torch.ones(1, device=gpu), 2.0, gpu)().tolist() == [1]


def test_peaks_and_anchors_run_there(gpu):
    clock = make_clock(gpu)
    assert min(vars(measure_peaks(clock, gpu, torch.bfloat16)).values()) > 0
    for name in ("matmul", "stream", "dispatch"):
        assert make_anchor(name, gpu, torch.bfloat16)().device == gpu
    assert whole_over_half("stream", gpu, torch.bfloat16, clock) > 0
    assert whole_over_half("dispatch", gpu, torch.bfloat16, clock) is None


def test_memory_is_the_allocators_own_count(gpu):
    kept = []

    def call(built):
        kept.append(torch.zeros(16, device=gpu))
        return built[0] * 2

    alive = count_alive(lambda: [torch.zeros(256, device=gpu)], call, gpu)
    assert (alive.built, alive.called, alive.peak) == (1024, 1024 + 64, 2048 + 64)


def test_the_gpu_is_known_by_name_and_holds_the_default_scale(gpu):
    assert known_devices() == ("auto", "cpu", "cuda", "cuda:0")
    assert devices_for("auto") == ("cuda:0",)
    assert resolve_device("auto") == resolve_device("cuda:0") == gpu
    assert resolve_dtype("auto", gpu) is torch.bfloat16
    assert free_bytes(gpu) == driver.MEMORY_BYTES - torch.cuda.memory_allocated()
    assert _default_axes(gpu, torch.bfloat16) == CUDA_AXES


def test_a_record_of_it_is_of_no_other_machine(gpu):
    found = fingerprint("cuda:0", "bfloat16", 1)
    assert (found["device_model"], found["gpu_memory_gib"]) == (driver.NAME, 140)
    assert kind_slug(kind_key(found)).startswith("cuda-nvidia-h200-rehearsed-1x-bfloat16-t1-")


def test_a_profile_has_the_hosts_operations(gpu, monkeypatch):
    monkeypatch.setattr(operations, "profile", driver.profile)
    seen = operations.operation_seconds(lambda: torch.ones(64, 64, device=gpu) @ torch.ones(64, 64, device=gpu), gpu)
    assert "aten::mm" in seen.host_s


@pytest.mark.parametrize("arm", ["moe", "dense"])
def test_a_model_is_built_there(gpu, arm):
    model = build_twins("tiny", arms=(arm,), device=gpu, dtype=torch.bfloat16, expert_backend="grouped_mm")[arm]
    assert model.device == gpu
    assert {tensor.device for tensor in (*model.parameters(), *model.buffers())} == {gpu}
