"""Tests of what stands around the table that people read of a run."""

from dataclasses import replace

from bench.harness.environment import kind_key
from bench.pages.report import (
    LEGEND,
    does_not_fit,
    legend_of,
    machine_line,
    values_legend,
)
from bench.pages.rows import HEADERS, Row
from tests.bench.sample_records import FINGERPRINT, record_of, scenario

SAMPLES = {"moe": [0.002] * 6, "dense": [0.004] * 6, "anchor": [0.001] * 6}
# At peaks of 1e9 a second: 50 % and 25 % of 2 ms; apart, 0.75 ms of FLOPs and 0.375 ms of bytes are 56.25 %.
COSTS = {"flops": 1e6, "bytes": 0.5e6, "parts": [[0.75e6, 0.125e6], [0.25e6, 0.375e6]]}


def test_the_legend_says_of_each_benchmark_once_what_its_values_are() -> None:
    again = scenario(SAMPLES, name="bench_decode[7b]")
    other = scenario(SAMPLES, name="bench_memory[7b]", metric="peak_bytes")
    assert values_legend(record_of(again, scenario(SAMPLES, name="bench_decode[34b]"), other)) == (
        "bench_decode: time per output token, (e2e_s - ttft_s) / (output tokens - 1); undefined for one output token; "
        "bench_memory: peak memory, largest number of bytes allocated on the device at one time, weights included; "
    )


def test_what_does_not_fit_is_said_with_its_reason() -> None:
    entries = ({"scenario": "bench_x[34b]", "reason": "needs 80 GiB"}, {"scenario": "bench_y"})
    assert does_not_fit(record_of(not_fitting=entries)) == [
        "bench_x[34b]: not measured, needs 80 GiB",
        "bench_y: not measured, skipped",
    ]


def test_the_machine_line_names_software_machine_and_peaks() -> None:
    record = replace(record_of(), peaks={"matmul_flop_per_s": 1.2e11, "copy_byte_per_s": 1e10})
    said = "transformers 5.23.0, torch 2.13.0+cpu, Python 3.11.7, float32, 1 thread, 2 x Acme(R) Core 6-1-2 avx2"
    assert machine_line(record) == f"{said}; measured peaks: matmul 120 Gflop/s, copy 10 Gbyte/s"
    peaks = {"matmul_flop_per_s": 1.2e11, "read_byte_per_s": 3e10, "copy_byte_per_s": 1e10}
    assert machine_line(replace(record, peaks=peaks)).endswith("matmul 120 Gflop/s, read 30 Gbyte/s, copy 10 Gbyte/s")
    assert machine_line(replace(record, peaks={})) == said


def test_triton_is_named_where_its_kernels_run() -> None:
    on_gpu = {"device": "cuda", "device_model": "NVIDIA H200", "device_count": 1}
    fingerprint = {**FINGERPRINT, **on_gpu, "torch": "2.11.0+cu130", "triton": "3.6.0"}
    record = replace(record_of(), fingerprint=fingerprint, kind=kind_key(fingerprint))
    assert "torch 2.11.0+cu130, triton 3.6.0, Python 3.11.7, float32, 1 thread, 1 x NVIDIA H200" in machine_line(record)
    assert "triton" not in machine_line(replace(record_of(), fingerprint={**FINGERPRINT, "triton": "3.9.0"}))


def test_the_legend_is_of_the_columns_that_hold_something() -> None:
    bare = Row(scenario="a", moe="1 ms")
    assert legend_of([]) == legend_of([bare]) == ""
    said = legend_of([bare, replace(bare, speedup="2.00x", change="+1 %")])
    assert said.startswith("other / MoE: ")
    assert "; change: of the control" in said
    assert "MFU" not in said
    assert all(header in HEADERS for header in LEGEND)
