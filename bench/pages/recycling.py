"""What recycling does to a time: recycled models over whole ones, from records of bench/recycled.py."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bench.gate.intervals import independent_difference
from bench.gate.launch_intervals import another_launch
from bench.gate.stats import Interval, block_log_ratios, median_interval, percent
from bench.harness.arms import PRIMARY, TWIN
from bench.harness.record import Record, Scenario
from bench.harness.recycled import whole_of

PARTS = {"whole answers": ("prefill", "decode")}  # a phase that is not measured whole and recycled
HEADERS = ("recycled layers", "arm", "distinct layers", "recycled / whole [95 %]", "launches, blocks")


class Bias(NamedTuple):
    """A recycled model's time over that of the whole one."""

    scenario: str
    arm: str  # of the whole model
    distinct_layers: int
    log_ratio: Interval  # where another launch falls; of one launch, of its blocks
    num_launches: int
    num_blocks: int  # of all launches

    @property
    def phase(self) -> str:
        """Name the phase: the last axis of the scenario."""
        return self.scenario.rstrip("]").rpartition("-")[2]


Biases = Mapping[tuple[str, str, int], Bias]  # by phase, arm of the whole model, distinct layers


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


def biases_of(records: Iterable[Record]) -> Biases:
    """Return the biases that records measured, by phase, arm and number, at whatever scale; the last counts."""
    found = [bias for record in records for bias in biases(record)]
    return {(bias.phase, bias.arm, bias.distinct_layers): bias for bias in found}


def with_bias(speedup: Interval, known: Biases, phase: str, distinct_layers: int, against: str) -> Interval:
    """Widen the interval of a speed-up of recycled layers by what recycling may have done to either side.

    Nothing is corrected: the limits move out as far as the bias of the ratio reaches. A rival whose bias was not
    measured has its twin's; a whole answer, a prefill and decode steps, has the larger of theirs. Without any the
    interval stays.
    """
    errors = [Interval(0.0, 0.0, 0.0)]
    for part in PARTS.get(phase, (phase,)):
        moe = known.get((part, PRIMARY, distinct_layers))
        rival = known.get((part, against, distinct_layers)) or known.get((part, TWIN, distinct_layers))
        if moe and rival:
            errors.append(independent_difference(rival.log_ratio, moe.log_ratio))
    low, high = max(error.high for error in errors), min(error.low for error in errors)
    return Interval(speedup.estimate, speedup.low * math.exp(-low), speedup.high * math.exp(-high))


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
