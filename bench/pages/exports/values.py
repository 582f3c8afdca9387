"""The named values of a record that other tools follow: TTFT, TPOT, throughput, bytes, and other arms over the MoE."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from bench.gate.shares import is_share
from bench.gate.stats import Interval, median_interval
from bench.harness.arms import ANCHOR, PRIMARY
from bench.harness.metrics import METRICS, metric
from bench.harness.record import ArmSeries, Record, Scenario
from bench.pages.samples import quotient, samples_of

NAMES = {"ttft_s": "TTFT", "tpot_s": "TPOT", "itl_s": "ITL", "e2e_s": "E2E latency"}  # the others go by their labels
UNITS = {"s": ("ms", 1e3), "byte": ("bytes", 1.0), "1": ("%", 100.0)}  # unit of a metric -> unit shown, factor
OVER_MOE = "over MoE"
Better: TypeAlias = Literal["lower", "higher"]
OPPOSITE: Mapping[Better, Better] = {"lower": "higher", "higher": "lower"}  # of the arm that the MoE is held against


class Value(NamedTuple):
    """One figure of one arm."""

    scenario: str
    arm: str
    metric: str  # a key of METRICS, or OVER_MOE
    name: str
    unit: str
    better: Better
    interval: Interval  # median over blocks with its 95 % interval, in the unit
    num_blocks: int

    @property
    def benchmark(self) -> str:
        """Return what pytest-benchmark's JSON calls this arm of the scenario."""
        return self.scenario if self.arm == PRIMARY else f"{self.scenario}:{self.arm}"


def values_of(record: Record) -> list[Value]:
    """Return the figures of every arm but the anchor that has a block left, in the record's order."""
    return [value for scenario in record.scenarios.values() for value in _of_scenario(scenario)]


def _of_scenario(scenario: Scenario) -> Iterator[Value]:
    moe = scenario.arms[PRIMARY]
    for arm, series in scenario.arms.items():
        samples = samples_of(series)
        if arm == ANCHOR or not samples:
            continue
        found = median_interval(samples)
        yield _value(series, series.metric, found)
        for name, quantity in series.rates.items():  # the longest time is the least throughput
            yield _value(series, name, Interval(*(quantity / found[i] for i in (0, 2, 1))))
        if arm != PRIMARY and not is_share(series.metric):  # of shares no ratio is told, but a difference
            ratio = quotient(samples, samples_of(moe))
            yield Value(
                scenario.id, arm, OVER_MOE, OVER_MOE, "x", OPPOSITE[metric(series.metric).better], ratio, len(samples)
            )


def _value(series: ArmSeries, name: str, found: Interval) -> Value:
    about = METRICS[name]
    unit, factor = UNITS.get(about.unit, (about.unit, 1.0))
    shown = Interval(*(factor * value for value in found))
    said = NAMES.get(name, about.label)
    return Value(series.scenario, series.arm, name, said, unit, about.better, shown, len(samples_of(series)))
