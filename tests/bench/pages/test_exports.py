"""Tests of our exports: the extractors of other tools, re-stated, find the record's figures and units."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench.gate.stats import median_interval
from bench.harness.metrics import METRICS
from bench.harness.record import Record, load
from bench.pages.exports.formats import FORMATS
from bench.pages.exports.values import values_of
from tests.bench.other_tools import MEASURE_LETTERS, bencher_json, github_custom, pytorch_database
from tests.bench.sample_records import record_of, scenario

ROOT = Path(__file__).parents[3]
DECODE, PREFILL, MEMORY, RIGHT = (
    "bench_decode[7b-b1]",
    "bench_prefill[7b-b1]",
    "bench_memory[7b]",
    "bench_accuracy[charts]",
)
PARAMS = {"scale": "7b", "batch_size": 1}


@pytest.fixture(scope="module")
def small() -> Record:
    """Seconds, rates, bytes and shares, of two arms and an anchor."""
    timed = {"moe": [0.002, 0.004, 0.003], "dense": [0.006, 0.012, 0.009], "anchor": [1.0, 1.0, 1.0]}
    first = {"moe": [0.5], "dense": [1.0], "anchor": [1.0]}
    return record_of(
        scenario(timed, name=DECODE, rates={"output_tok_per_s": 1.0}, params=PARAMS, num_units=32),
        scenario(first, name=PREFILL, metric="ttft_s", rates={"req_per_s": 4, "total_tok_per_s": 40.0}, params=PARAMS),
        scenario({"moe": 2e9, "dense": 3e9}, name=MEMORY, metric="peak_bytes", params=PARAMS),
        scenario({"moe": 0.75, "dense": 0.5}, name=RIGHT, metric="accuracy"),
        scenario({"moe": [], "dense": []}, name="bench_x[lost]", voided=3),
    )


def exported(record: Record, form: str) -> str:
    return json.dumps(FORMATS[form](record))


def test_github_finds_what_should_fall_with_its_units(small: Record) -> None:
    found = github_custom(exported(small, "customSmallerIsBetter"))
    assert {name: (one.value, one.unit) for name, one in found.items()} == {
        f"{DECODE} TPOT": (pytest.approx(3.0), "ms"),
        f"{DECODE}:dense TPOT": (pytest.approx(9.0), "ms"),
        f"{PREFILL} TTFT": (500.0, "ms"),
        f"{PREFILL}:dense TTFT": (1000.0, "ms"),
        f"{MEMORY} peak memory": (2e9, "bytes"),
        f"{MEMORY}:dense peak memory": (3e9, "bytes"),
    }
    assert found[f"{DECODE} TPOT"].spread == (pytest.approx(2.0), pytest.approx(4.0))


def test_github_finds_what_should_rise_with_its_units(small: Record) -> None:
    found = github_custom(exported(small, "customBiggerIsBetter"))
    assert {name: (one.value, one.unit) for name, one in found.items()} == {
        f"{DECODE} output throughput": (pytest.approx(1 / 0.003), "tok/s"),
        f"{DECODE}:dense output throughput": (pytest.approx(1 / 0.009), "tok/s"),
        f"{DECODE}:dense over MoE": (pytest.approx(3.0), "x"),
        f"{PREFILL} request throughput": (8.0, "req/s"),
        f"{PREFILL}:dense request throughput": (4.0, "req/s"),
        f"{PREFILL} total throughput": (80.0, "tok/s"),
        f"{PREFILL}:dense total throughput": (40.0, "tok/s"),
        f"{PREFILL}:dense over MoE": (2.0, "x"),
        f"{MEMORY}:dense over MoE": (1.5, "x"),
        f"{RIGHT} accuracy": (75.0, "%"),
        f"{RIGHT}:dense accuracy": (50.0, "%"),
    }


def test_bencher_finds_a_measure_a_figure_with_its_limits(small: Record) -> None:
    found = bencher_json(exported(small, "bmf"))
    assert found[DECODE, "TPOT (ms)"].value == pytest.approx(3.0)
    assert found[DECODE, "TPOT (ms)"].spread == (pytest.approx(2.0), pytest.approx(4.0))
    assert found[DECODE, "output throughput (tok/s)"].spread == (pytest.approx(250.0), pytest.approx(500.0))
    assert found[f"{DECODE}:dense", "over MoE (x)"].value == pytest.approx(3.0)
    assert found[MEMORY, "peak memory (bytes)"] == (2e9, "bytes", (2e9, 2e9))
    assert not any(benchmark.endswith(("anchor", "lost]")) for benchmark, _ in found)


def test_vllms_records_have_vllms_names_and_units(small: Record) -> None:
    found = pytorch_database(exported(small, "vllm"))
    assert found[DECODE, "7b moe", "median_tpot_ms"] == pytest.approx(3.0)
    assert found[DECODE, "7b dense", "mean_tpot_ms"] == pytest.approx(9.0)
    assert found[DECODE, "7b moe", "std_tpot_ms"] == pytest.approx(1.0)
    assert found[PREFILL, "7b moe", "median_ttft_ms"] == 500.0
    assert found[PREFILL, "7b moe", "std_ttft_ms"] == 0.0
    assert found[PREFILL, "7b moe", "requests_per_second"] == 8.0
    assert found[PREFILL, "7b moe", "tokens_per_second"] == 80.0
    assert found[DECODE, "7b moe", "output_throughput"] == pytest.approx(1 / 0.003)
    assert found[MEMORY, "7b dense", "peak_bytes"] == 3e9
    assert found[DECODE, "7b dense", "over_moe"] == pytest.approx(3.0)
    assert found[RIGHT, "moe", "accuracy"] == 75.0


def test_many_times_have_percentiles_under_vllms_names() -> None:
    many = scenario({"moe": [i / 1000 for i in range(1, 102)]}, name=DECODE, params=PARAMS)
    found = pytorch_database(exported(record_of(many), "vllm"))
    assert {name: found[DECODE, "7b moe", f"{name}_tpot_ms"] for name in ("p50", "p95", "p99")} == {
        "p50": pytest.approx(51.0),  # of 1 ms to 101 ms
        "p95": pytest.approx(96.0),
        "p99": pytest.approx(100.0),
    }
    few = scenario({"moe": [0.001] * 99}, name=DECODE, params=PARAMS)
    assert not any("p99" in name for *_, name in pytorch_database(exported(record_of(few), "vllm")))


def test_a_measured_record_goes_out_whole_with_the_figures_of_its_samples() -> None:
    record = load(ROOT / "docs" / "records" / "proxy-cpu.json")
    of_bencher = bencher_json(exported(record, "bmf"))
    factor = {"s": 1e3, "byte": 1.0, "1": 100.0}
    for one in record.scenarios.values():
        for arm in one.arms.keys() - {"anchor"}:
            benchmark = one.id if arm == "moe" else f"{one.id}:{arm}"
            unit = METRICS[one.arms[arm].metric].unit
            median = factor[unit] * median_interval(one.arms[arm].launches[-1].samples).estimate
            assert any(
                math.isclose(read.value, median) for (name, _), read in of_bencher.items() if name == benchmark
            ), benchmark
    assert github_custom(exported(record, "customSmallerIsBetter"))
    assert github_custom(exported(record, "customBiggerIsBetter"))
    assert pytorch_database(exported(record, "vllm"))


def test_every_metric_has_a_name_that_bencher_takes() -> None:
    one = [scenario({"moe": 1.0}, name=name, metric=name) for name in METRICS]
    names = {value.metric: f"{value.name} ({value.unit})" for value in values_of(record_of(*one))}
    assert names.keys() == METRICS.keys()
    assert len(set(names.values())) == len(names)
    assert max(map(len, names.values())) <= MEASURE_LETTERS


def test_a_ratio_of_what_should_rise_is_better_where_it_is_less() -> None:
    rates: dict[str, Any] = {"metric": "output_tok_per_s", "name": "bench_x[1]"}
    (ratio,) = (one for one in values_of(record_of(scenario({"moe": 20.0, "dense": 10.0}, **rates))) if one.unit == "x")
    assert (ratio.interval.estimate, ratio.better) == (0.5, "lower")
