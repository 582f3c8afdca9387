"""Metrics: name, unit, better direction, formula and display. Names and definitions are those of vLLM's benchmarks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

SECOND_SCALES = ((1.0, 1.0, "s"), (1e-3, 1e3, "ms"), (0.0, 1e6, "µs"))  # (smallest value, factor, unit)
BYTE_SCALES = ((2.0**30, 2.0**-30, "GiB"), (2.0**20, 2.0**-20, "MiB"), (0.0, 2.0**-10, "KiB"))


def _three_digits(value: float) -> str:
    """Format with three significant digits, thousands separated and never in powers of ten."""
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{decimals}f}"


def _scaled(scales: tuple[tuple[float, float, str], ...]) -> Callable[[float], str]:
    """Return a formatter that takes the first scale whose smallest value is reached."""

    def show(value: float) -> str:
        factor, unit = next((f, u) for smallest, f, u in scales if abs(value) >= smallest)
        return f"{_three_digits(value * factor)} {unit}"

    return show


def _per_second(unit: str) -> Callable[[float], str]:
    return lambda value: f"{_three_digits(value)} {unit}"


DISPLAYS: dict[str, Callable[[float], str]] = {
    "s": _scaled(SECOND_SCALES),
    "byte": _scaled(BYTE_SCALES),
    "tok/s": _per_second("tok/s"),
    "req/s": _per_second("req/s"),
    "image/s": _per_second("images/s"),
    "J/tok": lambda value: f"{_three_digits(value)} J/tok",
    "1": lambda value: f"{100 * value:.1f} %",
}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One quantity: what it is called, in which unit it is kept and which direction is better.

    Example:
        >>> METRICS["tpot_s"].display(0.01234)
        '12.3 ms'
    """

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
        """Format a value for a report.

        Args:
            value: in `unit`.

        Returns:
            Three significant digits in the scale that people use (ms, GiB, %).
        """
        return DISPLAYS[self.unit](value)


def _table(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


METRICS = _table(
    Metric(
        name="ttft_s",
        unit="s",
        better="lower",
        label="time to first token",
        formula="from the request's arrival to its first output token: vision encoding and prefill",
    ),
    Metric(
        name="tpot_s",
        unit="s",
        better="lower",
        label="time per output token",
        formula="(e2e_s - ttft_s) / (output tokens - 1); undefined for one output token",
    ),
    Metric(
        name="itl_s",
        unit="s",
        better="lower",
        label="inter-token latency",
        formula="each single gap between two successive output tokens",
    ),
    Metric(
        name="e2e_s",
        unit="s",
        better="lower",
        label="end-to-end latency",
        formula="from the request's arrival to its last output token",
    ),
    Metric(
        name="latency_s",
        unit="s",
        better="lower",
        label="latency",
        formula="one call of one part: the vision tower and projector, or one expert layer, on one batch",
    ),
    Metric(
        name="output_tok_per_s",
        unit="tok/s",
        better="higher",
        label="output throughput",
        formula="output tokens of all requests / duration",
    ),
    Metric(
        name="prefill_tok_per_s",
        unit="tok/s",
        better="higher",
        label="prefill throughput",
        formula="(text + image) prompt tokens of all requests / time to first token of the batch",
    ),
    Metric(
        name="total_tok_per_s",
        unit="tok/s",
        better="higher",
        label="total throughput",
        formula="(prompt tokens with image tokens + output tokens) of all requests / duration",
    ),
    Metric(
        name="total_text_tok_per_s",
        unit="tok/s",
        better="higher",
        label="total text throughput",
        formula="(prompt tokens without image tokens + output tokens) of all requests / duration",
    ),
    Metric(
        name="req_per_s",
        unit="req/s",
        better="higher",
        label="request throughput",
        formula="completed requests / duration",
    ),
    Metric(
        name="images_per_s",
        unit="image/s",
        better="higher",
        label="image throughput",
        formula="encoded images / duration",
    ),
    Metric(
        name="joule_per_output_tok",
        unit="J/tok",
        better="lower",
        label="energy per output token",
        formula="energy the device drew during the requests / output tokens",
    ),
    Metric(
        name="peak_bytes",
        unit="byte",
        better="lower",
        label="peak memory",
        formula="largest number of bytes allocated on the device at one time, weights included",
    ),
    Metric(
        name="mfu",
        unit="1",
        better="higher",
        label="MFU",
        formula="(analytic FLOPs / seconds) / matmul peak in FLOP/s measured in the same run",
    ),
    Metric(
        name="mbu",
        unit="1",
        better="higher",
        label="MBU",
        formula="(analytic bytes / seconds) / copy peak in bytes/s measured in the same run",
    ),
    Metric(
        name="accuracy",
        unit="1",
        better="higher",
        label="accuracy",
        formula="mean score of the answers under the task's official rule",
    ),
)


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
