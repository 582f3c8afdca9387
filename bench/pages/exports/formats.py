"""The formats of other tools: github-action-benchmark's, Bencher's, and that of vLLM's benchmarks.

Sources: extractCustomBenchmarkResult of github-action-benchmark, a list of name, unit, value, range and extra; Bencher
Metric Format, bencher.dev/docs/reference/bencher-metric-format; convert_to_pytorch_benchmark_format of vLLM, the format
of PyTorch's benchmark database with a record a metric.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bench.harness.record import ArmSeries, Record
from bench.pages.exports.values import Value, values_of
from bench.pages.samples import percentiles, samples_of

# vLLM's names: of `vllm bench serve` for latencies, of `throughput` and `latency` for the rest; others keep ours.
VLLM_LATENCIES = {"ttft_s": "ttft_ms", "tpot_s": "tpot_ms", "itl_s": "itl_ms", "e2e_s": "e2el_ms"}
VLLM_NAMES = {
    "req_per_s": "requests_per_second",
    "total_tok_per_s": "tokens_per_second",
    "output_tok_per_s": "output_throughput",
}


def custom(record: Record, better: str) -> list[dict[str, Any]]:
    """Return what github-action-benchmark reads, as customSmallerIsBetter ("lower") or its opposite ("higher")."""
    return [_custom(value) for value in values_of(record) if value.better == better]


def _custom(value: Value) -> dict[str, Any]:
    estimate, low, high = value.interval
    return {
        "name": f"{value.benchmark} {value.name}",
        "unit": value.unit,
        "value": estimate,
        "range": f"± {max(high - estimate, estimate - low):.6f}",
        "extra": f"95 % interval {low:.6g} to {high:.6g} {value.unit} over {value.num_blocks} blocks",
    }


def bencher(record: Record) -> dict[str, dict[str, dict[str, float]]]:
    """Return Bencher Metric Format: benchmark -> measure -> value and the limits of its 95 % interval."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for value in values_of(record):
        estimate, low, high = value.interval
        limits = {"value": estimate, "lower_value": low, "upper_value": high}
        found.setdefault(value.benchmark, {})[f"{value.name} ({value.unit})"] = limits
    return found


def vllm(record: Record) -> list[dict[str, Any]]:
    """Return the records of vLLM's benchmarks, one a metric; latencies have median, mean, deviation and percentiles."""
    return [
        _vllm_record(record, value, name, values)
        for value in values_of(record)
        for name, values in _vllm_metrics(value, record.scenarios[value.scenario].arms[value.arm]).items()
    ]


def _vllm_metrics(value: Value, series: ArmSeries) -> Mapping[str, Sequence[float]]:
    """Return a value under vLLM's names, in vLLM's units."""
    seconds = samples_of(series)
    if value.metric == "latency_s":
        return {"latency": seconds}
    if stem := VLLM_LATENCIES.get(value.metric):
        shown = [1e3 * one for one in seconds]
        spread = statistics.stdev(shown) if len(shown) > 1 else 0.0
        whole = {"median": value.interval.estimate, "mean": statistics.fmean(shown), "std": spread}
        tail = found._asdict() if (found := percentiles(shown)) else {}
        return {f"{name}_{stem}": [figure] for name, figure in {**whole, **tail}.items()}
    return {VLLM_NAMES.get(value.metric, value.metric.replace(" ", "_").lower()): [value.interval.estimate]}


def _vllm_record(record: Record, value: Value, name: str, values: Sequence[float]) -> dict[str, Any]:
    series = record.scenarios[value.scenario].arms[value.arm]
    scale = str(series.params.get("scale", ""))
    return {
        "benchmark": {
            "name": value.scenario.partition("[")[0],
            "dtype": str(record.kind["dtype"]),
            "extra_info": {"args": {**series.params, "scenario": value.scenario, "arm": value.arm}},
        },
        "model": {"name": f"{scale} {value.arm}".strip()},
        "metric": {
            "name": name,
            "benchmark_values": list(values),
            "extra_info": {"device": record.kind["device_model"], "num_blocks": value.num_blocks},
        },
    }


FORMATS: Mapping[str, Callable[[Record], Any]] = {
    "customSmallerIsBetter": partial(custom, better="lower"),
    "customBiggerIsBetter": partial(custom, better="higher"),
    "bmf": bencher,
    "vllm": vllm,
}
