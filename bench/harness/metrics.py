"""Metrics: name, unit, better direction, formula and display. Names and definitions are those of vLLM's benchmarks."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

SECOND_SCALES = ((1.0, 1.0, "s"), (1e-3, 1e3, "ms"), (0.0, 1e6, "µs"))  # (smallest value, factor, unit)
BYTE_SCALES = ((2.0**30, 2.0**-30, "GiB"), (2.0**20, 2.0**-20, "MiB"), (0.0, 2.0**-10, "KiB"))


def _three_digits(value: float) -> str:
    """Format with three significant digits, thousands separated and never in powers of ten."""
    whole_digits = math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0
    decimals = max(0, 2 - whole_digits)
    return f"{value:,.{decimals}f}"


def _scaled(scales: tuple[tuple[float, float, str], ...]) -> Callable[[float], str]:
    """Return a formatter that takes the first scale whose smallest value is reached."""

    def show(value: float) -> str:
        factor, unit = next((f, u) for smallest, f, u in scales if abs(value) >= smallest)
        return f"{_three_digits(value * factor)} {unit}"

    return show


def _unscaled(unit: str) -> Callable[[float], str]:
    return lambda value: f"{_three_digits(value)} {unit}"


DISPLAYS: dict[str, Callable[[float], str]] = {
    "s": _scaled(SECOND_SCALES),
    "byte": _scaled(BYTE_SCALES),
    "tok/s": _unscaled("tok/s"),
    "req/s": _unscaled("req/s"),
    "image/s": _unscaled("images/s"),
    "J/tok": _unscaled("J/tok"),
    "1": lambda value: f"{100 * value:.1f} %",
}


@dataclass(frozen=True)
class Metric:
    """One quantity: what it is called, in which unit it is kept and which direction is better."""

    name: str
    unit: str  # a key of DISPLAYS; values are always kept in this unit
    better: Literal["lower", "higher"]
    label: str
    formula: str  # what the legend of a report says of it

    @property
    def sign(self) -> float:
        """Return what turns a log ratio so that above 0 is worse: 1.0 where lower is better, else -1.0."""
        return 1.0 if self.better == "lower" else -1.0

    def display(self, value: float) -> str:
        """Format a value, given in `unit`, with three significant digits in the scale that people use (ms, GiB, %).

        >>> METRICS["tpot_s"].display(0.01234)
        '12.3 ms'
        """
        return DISPLAYS[self.unit](value)


METRICS = {metric.name: metric for metric in (
    Metric("ttft_s", "s", "lower", "time to first token",
           "from the request's arrival to its first output token: vision encoding and prefill"),
    Metric("tpot_s", "s", "lower", "time per output token",
           "(e2e_s - ttft_s) / (output tokens - 1); undefined for one output token"),
    Metric("itl_s", "s", "lower", "inter-token latency",
           "each single gap between two successive output tokens"),
    Metric("e2e_s", "s", "lower", "end-to-end latency",
           "from the request's arrival to its last output token"),
    Metric("latency_s", "s", "lower", "latency",
           "one call of one part: the vision tower and projector, or one expert layer, on one batch"),
    Metric("output_tok_per_s", "tok/s", "higher", "output throughput",
           "output tokens of all requests / duration"),
    Metric("prefill_tok_per_s", "tok/s", "higher", "prefill throughput",
           "(text + image) prompt tokens of all requests / time to first token of the batch"),
    Metric("total_tok_per_s", "tok/s", "higher", "total throughput",
           "(prompt tokens with image tokens + output tokens) of all requests / duration"),
    Metric("total_text_tok_per_s", "tok/s", "higher", "total text throughput",
           "(prompt tokens without image tokens + output tokens) of all requests / duration"),
    Metric("req_per_s", "req/s", "higher", "request throughput",
           "completed requests / duration"),
    Metric("images_per_s", "image/s", "higher", "image throughput",
           "encoded images / duration"),
    Metric("joule_per_output_tok", "J/tok", "lower", "energy per output token",
           "energy the device drew during the requests / output tokens"),
    Metric("peak_bytes", "byte", "lower", "peak memory",
           "largest number of bytes allocated on the device at one time, weights included"),
    Metric("kept_bytes", "byte", "lower", "kept memory",
           "bytes allocated on the device between calls: after the build or after the first call, whichever is more"),
    Metric("mfu", "1", "higher", "MFU",
           "(analytic FLOPs / seconds) / matmul peak in FLOP/s measured in the same run"),
    Metric("mbu", "1", "higher", "MBU",
           "(analytic bytes / seconds) / read peak in bytes/s measured in the same run"),
    Metric("accuracy", "1", "higher", "accuracy",
           "mean score of the answers under the task's official rule"),
)}  # fmt: skip


def metric(name: str) -> Metric:
    """Return the metric of this name.

    Raises:
        ValueError: if there is none; the message lists the known ones.
    """
    if name not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {name!r}; choose one of them")
    return METRICS[name]


TTFT = METRICS["ttft_s"]
TPOT = METRICS["tpot_s"]
E2E = METRICS["e2e_s"]
LATENCY = METRICS["latency_s"]
PEAK_BYTES = METRICS["peak_bytes"]
KEPT_BYTES = METRICS["kept_bytes"]
