"""What recycling does to a time: recycled models over whole ones, from records of bench/recycled.py."""

from collections.abc import Iterable
from typing import NamedTuple

from bench.gate.launch_intervals import another_launch
from bench.gate.stats import Interval, block_log_ratios, median_interval, percent
from bench.harness.record import Record, Scenario
from bench.harness.recycled import whole_of

HEADERS = ("recycled layers", "arm", "distinct layers", "recycled / whole [95 %]", "launches, blocks")


class Bias(NamedTuple):
    """A recycled model's time over that of the whole one."""

    scenario: str
    arm: str  # of the whole model
    distinct_layers: int
    log_ratio: Interval  # where another launch falls; of one launch, of its blocks
    num_launches: int
    num_blocks: int  # of all launches


def biases(record: Record) -> list[Bias]:
    """Return the bias of every recycled arm, in the order of measurement."""
    return [bias for scenario in record.scenarios.values() for bias in _biases(scenario)]


def _biases(scenario: Scenario) -> Iterable[Bias]:
    for name, series in scenario.arms.items():
        if (known := whole_of(name)) and known.whole in scenario.arms:
            whole = scenario.arms[known.whole]
            pairs = zip(series.launches, whole.launches, strict=True)
            ratios = [block_log_ratios(one.samples, other.samples) for one, other in pairs]
            found = median_interval(ratios[0]) if len(ratios) == 1 else another_launch(ratios)
            yield Bias(scenario.id, *known, found, len(ratios), sum(map(len, ratios)))


def bias_rows(found: Iterable[Bias]) -> list[tuple[str, ...]]:
    """Lay biases out as rows under HEADERS."""
    return [
        (
            bias.scenario,
            bias.arm,
            str(bias.distinct_layers),
            Interval(*map(percent, bias.log_ratio)).text("+.1f", " %"),
            f"{bias.num_launches}, {bias.num_blocks}",
        )
        for bias in found
    ]
