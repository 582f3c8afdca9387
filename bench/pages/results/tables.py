"""Gains as rows: speed-ups over batch and length, and throughput by workload."""

from collections.abc import Iterable

from bench.harness.arms import PRIMARY
from bench.harness.metrics import METRICS
from bench.pages.results.gains import Gain

PHASES = {"bench_decode": "decode", "bench_prefill": "prefill"}
ANSWERS = "bench_generate"
SPEEDUP_HEADERS = (
    *("scale", "phase", "routing", "length", "batch", "against", "MoE", "rival", "speed-up [95 %]", "ratio of floors"),
    *("share of the floor, MoE / rival", "experts read a layer", "from"),
)
WORKLOAD_HEADERS = ("scale", "workload", "batch", "against", "MoE", "rival", "speed-up [95 %]", "from")


def speedup_rows(gains: Iterable[Gain]) -> list[tuple[str, ...]]:
    """Lay prefill and decode out, a row a gain."""
    return [
        (
            *(gain.scale, PHASES[gain.benchmark], gain.routing, gain.length, str(gain.batch_size), gain.against),
            *(_value(gain, arm) for arm in (PRIMARY, gain.against)),
            gain.factor(),
            f"{gain.predicted:.2f}x" if gain.predicted else "",
            " / ".join(f"{100 * share:.0f} %" for share in gain.floor_share.values()),
            f"{gain.distinct_experts:.1f}" if gain.distinct_experts else "",
            basis(gain),
        )
        for gain in sorted((gain for gain in gains if gain.benchmark in PHASES), key=_order)
    ]


def _order(gain: Gain) -> tuple[str, str, str, str, str, str, int]:
    scale, length = gain.scale.rjust(8), gain.length.rjust(8)
    return (gain.machine, scale, gain.benchmark, gain.against, gain.routing, length, gain.batch_size)


def workload_rows(gains: Iterable[Gain]) -> list[tuple[str, ...]]:
    """Lay whole answers out, a row a workload and batch."""
    return [
        (
            *(gain.scale, str(gain.params["workload"]), str(gain.batch_size), gain.against),
            *(gain.rate(arm) for arm in (PRIMARY, gain.against)),
            gain.factor(),
            basis(gain),
        )
        for gain in gains
        if gain.benchmark == ANSWERS
    ]


def basis(gain: Gain) -> str:
    """Say whether a gain was measured with all layers."""
    if not gain.depths:
        return "all layers, measured"
    return f"{', '.join(map(str, gain.depths))} layers, extrapolated ({100 * gain.check_error:.1f} %)"


def _value(gain: Gain, arm: str) -> str:
    return METRICS[gain.metric].display(gain.seconds[arm])
