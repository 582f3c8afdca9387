"""Passes of experts on several devices, from records of bench.distributed.parallel: time, exchanges, bytes, load."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.gate.stats import Interval, median_interval
from bench.harness.arms import ANCHOR, is_peer
from bench.harness.record import Record, Scenario
from bench.pages.layers.times import UNIFORM
from bench.pages.samples import quotient, samples_of

BENCHMARK = "bench_parallel["
SHARE = "share"  # the leg between the devices of one sample: not the experts' doing
SENT = "sent_bytes_"  # of a leg, among the facts
AGAINST = "in_order"  # the arm that the others are compared with


@dataclass(frozen=True, kw_only=True)
class DeviceRow:
    """One arm of a scenario on several devices."""

    scenario: str  # its id
    params: Mapping[str, object]  # its axes
    arm: str
    routing: str
    msi: float | None
    seconds: Interval
    in_order_over_arm: Interval | None
    exchanging_s: float  # in all exchanges, of the device that spends most in them
    sent_bytes: float  # but for what is shared
    shared_bytes: float
    cross_device_rate: float | None
    load_max_over_mean: float


def device_rows(records: Iterable[Record]) -> list[DeviceRow]:
    """Return a row for each arm of every scenario on several devices.

    Args:
        records: Any; those of other benchmarks give no row.
    """
    scenarios = [found for record in records for found in record.scenarios.values() if found.id.startswith(BENCHMARK)]
    return [
        _row(scenario, arm) for scenario in scenarios for arm in scenario.arms if arm != ANCHOR and not is_peer(arm)
    ]


def _row(scenario: Scenario, arm: str) -> DeviceRow:
    series = scenario.arms[arm]
    params, facts = series.params, series.facts
    samples = {name: samples_of(series) for name, series in scenario.arms.items()}
    legs = [found for name, found in samples.items() if name.startswith(f"{arm}/")]
    sent = {name.removeprefix(SENT): value for name, value in facts.items() if name.startswith(SENT)}
    is_compared = AGAINST in samples and arm != AGAINST
    return DeviceRow(
        scenario=scenario.id,
        params=params,
        arm=arm,
        routing=UNIFORM if arm == UNIFORM else series.axis("routing"),
        msi=facts.get("msi"),
        seconds=median_interval(samples[arm]),
        in_order_over_arm=quotient(samples[AGAINST], samples[arm]) if is_compared else None,
        exchanging_s=median_interval([sum(legs_s) for legs_s in zip(*legs, strict=True)]).estimate,
        sent_bytes=sum(value for leg, value in sent.items() if leg != SHARE),
        shared_bytes=sent[SHARE],
        cross_device_rate=facts.get("cross_device_rate"),
        load_max_over_mean=facts["load_max_over_mean"],
    )
