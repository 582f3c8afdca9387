"""Passes of experts on several devices, from records of bench.distributed.parallel: time, exchanges, bytes, load."""

from collections.abc import Iterable, Mapping, Sequence

from bench.gate.stats import Interval, median_interval
from bench.harness.arms import ANCHOR, is_peer
from bench.harness.metrics import DISPLAYS, METRICS
from bench.harness.record import ArmSeries, Record, Scenario

BENCHMARK = "bench_parallel["
SHARE = "share"  # the leg between the devices of one sample: not the experts' doing
SENT = "sent_bytes_"  # of a leg, among the facts
DEVICE_HEADERS = (
    *("scale", "devices, link", "home", "phase", "batch", "length", "routing", "MSI", "arm"),
    *("time [95 %]", "in_order / arm [95 %]", "of it in exchanges", "bytes sent", "shared", "cross-device rate"),
    "load, max/mean",
)
AGAINST = "in_order"  # the arm that the others are compared with


def device_rows(records: Iterable[Record]) -> list[tuple[str, ...]]:
    """Return a row for each arm of every scenario on several devices, in the order of DEVICE_HEADERS.

    Args:
        records: Any; those of other benchmarks give no row.
    """
    scenarios = [found for record in records for found in record.scenarios.values() if found.id.startswith(BENCHMARK)]
    return [
        _row(scenario, arm) for scenario in scenarios for arm in scenario.arms if arm != ANCHOR and not is_peer(arm)
    ]


def _row(scenario: Scenario, arm: str) -> tuple[str, ...]:
    series = scenario.arms[arm]
    params, facts, show = series.params, series.facts, METRICS[series.metric].display
    estimate, low, high = map(show, median_interval(_samples(series)))
    sent = {name.removeprefix(SENT): value for name, value in facts.items() if name.startswith(SENT)}
    ratio = _ratio(scenario.arms[AGAINST], series) if AGAINST in scenario.arms and arm != AGAINST else None
    return (
        str(params["scale"]),
        ", ".join(str(params[axis]) for axis in ("num_devices", "link") if params[axis]),
        *(str(params[axis]) for axis in ("home", "phase", "batch_size", "seq_len")),
        "uniform" if arm == "uniform" else str(params["routing"]),
        f"{facts['msi']:.2f}" if "msi" in facts else "",
        arm,
        f"{estimate} [{low}, {high}]",
        "{:.2f}x [{:.2f}, {:.2f}]".format(*ratio) if ratio else "",
        show(_exchanging_s(scenario, arm)),
        DISPLAYS["byte"](sum(value for leg, value in sent.items() if leg != SHARE)),
        DISPLAYS["byte"](sent[SHARE]),
        f"{100 * facts['cross_device_rate']:.1f} %" if "cross_device_rate" in facts else "",
        f"{facts['load_max_over_mean']:.2f}",
    )


def _samples(series: ArmSeries) -> list[float]:
    return [value for launch in series.launches for value in launch.samples]


def _ratio(base: ArmSeries, series: ArmSeries) -> Interval:
    """Return how many times as fast as the base an arm is, over rounds."""
    return median_interval([a / b for a, b in zip(_samples(base), _samples(series), strict=True)])


def _exchanging_s(scenario: Scenario, arm: str) -> float:
    """Return the seconds of a pass in all exchanges, of the device that spends most in them."""
    legs: Mapping[str, Sequence[float]] = {
        name: _samples(series) for name, series in scenario.arms.items() if name.startswith(f"{arm}/")
    }
    return median_interval([sum(legs_s) for legs_s in zip(*legs.values(), strict=True)]).estimate
